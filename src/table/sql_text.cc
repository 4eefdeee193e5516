#include "table/sql_text.h"

namespace weir::table {
namespace {

std::string within(char quote, std::string_view text) {
  std::string literal(1, quote);
  for (const char letter : text) {
    if (letter == quote) literal += quote;
    literal += letter;
  }
  return literal + quote;
}

}  // namespace

std::string literal(std::string_view text) {
  return within('\'', text);
}

std::string identifier(std::string_view name) {
  return within('"', name);
}

std::string literal_list(std::span<const std::string> texts) {
  std::string list = "[";
  for (const std::string& text : texts) {
    if (list.size() > 1) list += ", ";
    list += literal(text);
  }
  return list + "]";
}

}  // namespace weir::table
