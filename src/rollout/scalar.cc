#include "rollout/scalar.h"

#include <charconv>

#include <fmt/core.h>

#include "base/clock.h"
#include "rollout/plan.h"

namespace weir::rollout {
namespace {

// What stands there, cut where it is long.
std::string describe(const Node& node) {
  switch (node.kind) {
    case Node::Kind::null:
      return "nothing";
    case Node::Kind::list:
      return "a list";
    case Node::Kind::map:
      return "a map";
    case Node::Kind::scalar:
      return fmt::format("'{}'", std::string_view(node.text).substr(0, 64));
  }
  return {};
}

template <class Number>
Result<Number> read_as(const Node& node, std::string_view name, std::string_view wanted) {
  Number number{};
  const char* end = node.text.data() + node.text.size();
  const auto [rest, error] = std::from_chars(node.text.data(), end, number);
  const bool is_number =
      node.is_scalar() && !node.quoted && error == std::errc() && rest == end && !node.text.empty();
  if (!is_number) return bad_value(node, name, wanted);
  return number;
}

}  // namespace

tl::unexpected<Error> bad_value(const Node& node, std::string_view name, std::string_view wanted) {
  return fail(
      Code::invalid_argument, "{}: {} must be {}, not {}", node.where, name, wanted, describe(node)
  );
}

Result<std::string> read_text(const Node& node, std::string_view name) {
  if (!node.is_scalar()) return bad_value(node, name, "a text");
  return node.text;
}

Result<std::uint64_t> read_count(const Node& node, std::string_view name) {
  return read_as<std::uint64_t>(node, name, "a whole number");
}

Result<double> read_number(const Node& node, std::string_view name) {
  return read_as<double>(node, name, "a number");
}

Result<std::int64_t> read_duration(const Node& node, std::string_view name) {
  const auto duration = parse_duration(node.text);
  if (!node.is_scalar() || !duration) return bad_value(node, name, "a duration such as 90s or 10m");
  return duration;
}

Result<std::uint32_t> read_percent(const Node& node, std::string_view name) {
  const auto share = parse_percent(node.text);
  if (!node.is_scalar() || !share) {
    return bad_value(node, name, "percent from 0 to 100 with at most four decimals");
  }
  return share;
}

}  // namespace weir::rollout
