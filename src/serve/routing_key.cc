#include "serve/routing_key.h"

#include <charconv>

#include "ledger/record.h"
#include "tensor/tensor.h"

namespace weir::serve {
namespace {

constexpr std::string_view standard_name = "weir-routing-key";

// The first element of a named input, as text.
void read_input(const protocol::PredictRequest& request, std::string_view name, std::string& key) {
  for (std::size_t i = 0; i < request.input_count; ++i) {
    const protocol::InputTensor& input = request.inputs[i];
    if (input.name != name || input.tensor.size() == 0) continue;
    if (input.tensor.datatype() == tensor::DataType::bytes) {
      if (input.tensor.strings_added() > 0) key = input.tensor.string(0);
      return;
    }
    char buffer[32];
    const double value = tensor::to_double(input.tensor, 0);
    const auto [end, error] = std::to_chars(buffer, buffer + sizeof(buffer), value);
    if (error == std::errc()) key.assign(buffer, end);
    return;
  }
}

}  // namespace

std::string_view cookie_value(std::string_view header, std::string_view name) {
  while (!header.empty()) {
    const std::size_t end = header.find(';');
    std::string_view pair = header.substr(0, end);
    header = end == std::string_view::npos ? std::string_view() : header.substr(end + 1);
    while (!pair.empty() && pair.front() == ' ') pair.remove_prefix(1);
    if (pair.size() > name.size() && pair.starts_with(name) && pair[name.size()] == '=') {
      return pair.substr(name.size() + 1);
    }
  }
  return {};
}

Result<void> read_routing_key(Call& call) {
  call.key.assign(call.metadata(standard_name));
  if (call.key.empty()) call.key = call.request.routing_key;
  const RoutingKey& from = call.route->routing_key;
  if (call.key.empty()) {
    switch (from.from) {
      case RoutingKey::From::standard:
        break;
      case RoutingKey::From::header:
        call.key.assign(call.metadata(from.name));
        break;
      case RoutingKey::From::cookie:
        call.key.assign(cookie_value(call.metadata("cookie"), from.name));
        break;
      case RoutingKey::From::input:
        read_input(call.request, from.name, call.key);
        break;
    }
  }
  if (!call.key.empty()) call.key_hash = ledger::hash_key(call.key);
  return {};
}

}  // namespace weir::serve
