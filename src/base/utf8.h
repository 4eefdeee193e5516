#pragma once

#include <cstddef>
#include <string>
#include <string_view>

// UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. Pure.

namespace weir {

// The bytes of the character that `bytes` begins with; 0 when it is not well-formed.
// Requires: not empty.
std::size_t utf8_length(std::string_view bytes);

// Whether all of it is well-formed.
bool is_valid_utf8(std::string_view bytes);

// Appends a code point. Requires: not a surrogate, at most 0x10FFFF.
void append_utf8(char32_t code, std::string& text);

}  // namespace weir
