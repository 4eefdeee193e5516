#include "config/fields.h"

#include <charconv>

#include "base/clock.h"

namespace weir::config {

using rollout::Node;

namespace {

bool parse_number(std::string_view text, std::uint64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

// The factor of "KiB", "MiB", "GiB" or "" at the end of a text; the rest is the number.
std::uint64_t take_unit(std::string_view& text) {
  struct Unit {
    std::string_view name;
    std::uint64_t factor;
  };
  constexpr Unit units[] = {{"KiB", 1ULL << 10}, {"MiB", 1ULL << 20}, {"GiB", 1ULL << 30}};
  for (const Unit& unit : units) {
    if (!text.ends_with(unit.name)) continue;
    text.remove_suffix(unit.name.size());
    while (text.ends_with(' ')) text.remove_suffix(1);
    return unit.factor;
  }
  return 1;
}

}  // namespace

Fields::Fields(const Node& node, std::string_view what) : node_(node), what_(what) {
  if (!node.is_map() && !node.is_null()) fault(node, fmt::format("'{}' is a map of keys", what));
}

void Fields::fault(const Node& where, std::string_view message) {
  if (fault_.empty()) fault_ = fmt::format("{}: {}", where.where, message);
}

const Node* Fields::find(std::string_view name) {
  known_.push_back(name);
  const Node* node = node_.find(name);
  return node == nullptr || node->is_null() ? nullptr : node;
}

const Node* Fields::node(std::string_view name) {
  return find(name);
}

void Fields::text(std::string_view name, std::string& value) {
  const Node* node = find(name);
  if (node == nullptr) return;
  if (!node->is_scalar()) {
    fault(*node, fmt::format("'{}' is a text", name));
    return;
  }
  value = node->text;
}

void Fields::flag(std::string_view name, bool& value) {
  const Node* node = find(name);
  if (node == nullptr) return;
  if (node->text == "true" || node->text == "on") {
    value = true;
  } else if (node->text == "false" || node->text == "off") {
    value = false;
  } else {
    fault(*node, fmt::format("'{}' is true or false, not '{}'", name, node->text));
  }
}

bool Fields::read_count(
    std::string_view name, std::uint64_t& value, std::uint64_t least, std::uint64_t most
) {
  const Node* node = find(name);
  if (node == nullptr) return false;
  if (node->is_scalar() && parse_number(node->text, value) && value >= least && value <= most) {
    return true;
  }
  fault(
      *node,
      fmt::format("'{}' is a whole number from {} to {}, not '{}'", name, least, most, node->text)
  );
  return false;
}

void Fields::number(std::string_view name, double& value, double least, double most) {
  const Node* node = find(name);
  if (node == nullptr) return;
  double number = 0;
  const char* end = node->text.data() + node->text.size();
  const auto [rest, error] = std::from_chars(node->text.data(), end, number);
  if (node->is_scalar() && error == std::errc() && rest == end && number >= least &&
      number <= most) {
    value = number;
    return;
  }
  fault(
      *node, fmt::format("'{}' is a number from {} to {}, not '{}'", name, least, most, node->text)
  );
}

bool Fields::read_bytes(std::string_view name, std::uint64_t& value) {
  const Node* node = find(name);
  if (node == nullptr) return false;
  std::string_view text = node->text;
  const std::uint64_t factor = take_unit(text);
  if (node->is_scalar() && parse_number(text, value) &&
      !__builtin_mul_overflow(value, factor, &value)) {
    return true;
  }
  fault(*node, fmt::format("'{}' is a size such as 64MiB, not '{}'", name, node->text));
  return false;
}

void Fields::duration_us(std::string_view name, std::int64_t& value) {
  const Node* node = find(name);
  if (node == nullptr) return;
  const auto duration = parse_duration(node->text);
  if (!duration) {
    fault(*node, fmt::format("'{}': {}", name, duration.error().message));
    return;
  }
  value = *duration;
}

void Fields::texts(std::string_view name, std::vector<std::string>& values) {
  const Node* node = find(name);
  if (node == nullptr) return;
  if (!node->is_list()) {
    fault(*node, fmt::format("'{}' is a list of texts", name));
    return;
  }
  values.clear();
  for (const Node& item : node->items) {
    if (!item.is_scalar()) fault(item, fmt::format("'{}' is a list of texts", name));
    values.push_back(item.text);
  }
}

Result<void> Fields::finish() {
  if (!fault_.empty()) return fail(Code::invalid_argument, "{}", fault_);
  if (!node_.is_map()) return {};
  return rollout::refuse_unknown_keys(node_, what_, known_);
}

}  // namespace weir::config
