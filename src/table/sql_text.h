#pragma once

#include <span>
#include <string>
#include <string_view>

// Pieces of SQL text.

namespace weir::table {

// 'text' as a literal: with single quotes, those within it doubled.
std::string literal(std::string_view text);
// "name" as an identifier.
std::string identifier(std::string_view name);
// ['a', 'b']
std::string literal_list(std::span<const std::string> texts);

}  // namespace weir::table
