#pragma once

#include <string>
#include <string_view>

#include <boost/json/fwd.hpp>

namespace weir::cli {

// To standard output.
void print(std::string_view text);

// One JSON text and a line end.
void print_json(const boost::json::value& value);

// Members of an answer of the server, as text for people: "" where there is none, numbers with a
// sensible number of digits.
std::string text_of(const boost::json::object& object, std::string_view key);
std::uint64_t count_of(const boost::json::object& object, std::string_view key);
double number_of(const boost::json::object& object, std::string_view key);
bool flag_of(const boost::json::object& object, std::string_view key);
// Null when the member is missing or no object.
const boost::json::object* object_of(const boost::json::object& object, std::string_view key);
// Empty likewise.
const boost::json::array& array_of(const boost::json::object& object, std::string_view key);

}  // namespace weir::cli
