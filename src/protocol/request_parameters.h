#pragma once

#include <bitset>
#include <cstdint>
#include <string_view>
#include <variant>

#include "base/result.h"
#include "protocol/v2.h"

// What the parameters of a request mean, however they travel. Inside protocol/.

namespace weir::protocol {

// A value as it came in; texts are borrowed. Nothing = null.
using GivenValue =
    std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string_view>;

// Takes the parameters of one request, one after the other: the reserved names with their types,
// and the client's own. A reserved name with a value of another type, an unknown name that begins
// with "triton_", a name given twice and too many of them are refused.
class RequestParameters {
 public:
  RequestParameters(const DecodeOptions& options, PredictRequest& request)
      : options_(options), request_(request) {}

  // Before the value is read: whether there may be a parameter of this name at all. Gives the name
  // back; a reserved one then lives for ever.
  Result<std::string_view> check_name(std::string_view name);
  // Requires: check_name() accepted the name just before.
  Result<void> take(std::string_view name, const GivenValue& value);

  static constexpr std::size_t reserved_count = 10;

 private:
  Result<void> take_reserved(std::size_t reserved, std::string_view name, const GivenValue& value);
  Result<void> take_time(const GivenValue& value);
  Result<void> take_routing_key(const GivenValue& value);
  void keep(std::string_view name, const GivenValue& value);

  const DecodeOptions& options_;
  PredictRequest& request_;
  std::bitset<reserved_count> seen_;
  std::size_t count_ = 0;
};

}  // namespace weir::protocol
