#include "cli/print.h"

#include <cstdio>

#include <boost/json.hpp>
#include <fmt/format.h>

namespace weir::cli {

namespace json = boost::json;

void print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void print_json(const json::value& value) {
  print(json::serialize(value) + "\n");
}

namespace {

const json::value* find(const json::object& object, std::string_view key) {
  return object.if_contains(json::string_view(key.data(), key.size()));
}

}  // namespace

std::string text_of(const json::object& object, std::string_view key) {
  const json::value* value = find(object, key);
  if (value == nullptr || value->is_null()) return {};
  if (value->is_string()) return std::string(value->as_string());
  if (value->is_double()) return fmt::format("{:.4g}", value->as_double());
  return json::serialize(*value);
}

std::uint64_t count_of(const json::object& object, std::string_view key) {
  const json::value* value = find(object, key);
  if (value == nullptr || !value->is_number()) return 0;
  boost::system::error_code error;
  const auto number = value->to_number<std::uint64_t>(error);
  return error ? 0 : number;
}

double number_of(const json::object& object, std::string_view key) {
  const json::value* value = find(object, key);
  return value != nullptr && value->is_number() ? value->to_number<double>() : 0;
}

bool flag_of(const json::object& object, std::string_view key) {
  const json::value* value = find(object, key);
  return value != nullptr && value->is_bool() && value->as_bool();
}

const json::object* object_of(const json::object& object, std::string_view key) {
  const json::value* value = find(object, key);
  return value != nullptr ? value->if_object() : nullptr;
}

const json::array& array_of(const json::object& object, std::string_view key) {
  static const json::array empty;
  const json::value* value = find(object, key);
  return value != nullptr && value->is_array() ? value->as_array() : empty;
}

}  // namespace weir::cli
