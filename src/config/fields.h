#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "rollout/document.h"

namespace weir::config {

// Reads the members of one map of the configuration into options: name, kind and range of each
// stand in one line. The first fault is kept; members that nobody asked for are the last one.
class Fields {
 public:
  // `what` names the map in messages: "server". A null node is an empty map.
  Fields(const rollout::Node& node, std::string_view what);

  void text(std::string_view name, std::string& value);
  void flag(std::string_view name, bool& value);
  // A plain whole number.
  template <class Integer>
  void count(std::string_view name, Integer& value, std::uint64_t least, std::uint64_t most) {
    std::uint64_t number = 0;
    if (!read_count(name, number, least, most)) return;
    value = static_cast<Integer>(number);
  }
  // A number that may have a fraction.
  void number(std::string_view name, double& value, double least, double most);
  // "64MiB", "512KiB", "1GiB" or a number of bytes.
  template <class Integer>
  void bytes(std::string_view name, Integer& value) {
    std::uint64_t number = 0;
    if (!read_bytes(name, number)) return;
    value = static_cast<Integer>(number);
  }
  // "250ms", "90s", "10m".
  void duration_us(std::string_view name, std::int64_t& value);
  void texts(std::string_view name, std::vector<std::string>& values);
  // The member itself, for a map or list within; null when absent.
  const rollout::Node* node(std::string_view name);

  // Adds a fault that the caller found.
  void fault(const rollout::Node& where, std::string_view message);

  // The first fault, or that of an unknown key.
  Result<void> finish();

 private:
  const rollout::Node* find(std::string_view name);
  bool read_count(
      std::string_view name, std::uint64_t& value, std::uint64_t least, std::uint64_t most
  );
  bool read_bytes(std::string_view name, std::uint64_t& value);

  const rollout::Node& node_;
  std::string what_;
  std::vector<std::string_view> known_;
  std::string fault_;
};

}  // namespace weir::config
