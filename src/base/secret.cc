#include "base/secret.h"

#include <openssl/crypto.h>

namespace weir {

bool is_same_secret(std::string_view left, std::string_view right) {
  return left.size() == right.size() && CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

bool is_bearer_of(std::string_view header, std::string_view token) {
  constexpr std::string_view scheme = "Bearer ";
  return header.starts_with(scheme) && is_same_secret(header.substr(scheme.size()), token);
}

}  // namespace weir
