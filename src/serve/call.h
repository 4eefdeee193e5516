#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "model/session.h"
#include "protocol/predict.h"
#include "serve/answer.h"
#include "serve/routes.h"

namespace weir::serve {

// One prediction request on its way through the predictor. A transport derives from it, fills the
// head, and gives it to Predictor::start. It stays where it is until it is answered and is then
// used again, with its memory. One thread at a time.
class Call : public model::Inference {
 public:
  // --- the head, set by the transport -------------------------------------------------------
  std::string_view endpoint;
  std::optional<std::uint32_t> pinned;  // The version that the client named.
  std::int64_t received_ns = 0;         // monotonic_ns() of its first byte.
  Moment arrived = 0;                   // Wall clock, same moment.
  bool is_behind = false;               // Requests wait too long before anybody reads them.
  std::string_view outer_id;            // Names the record when the request itself has no id.

  // Bytes → `request`.
  virtual Result<void> decode() = 0;
  // Sends `response`; the call is over.
  virtual void answer() = 0;
  // Sends an error; the call is over.
  virtual void refuse(const Error& error) = 0;
  // Continues with Predictor::resume on the thread that owns the call. Thread-safe; called at most
  // once per pending step.
  void complete() override = 0;
  // A header or gRPC metadata entry by name, any letter case; empty when absent.
  virtual std::string_view metadata(std::string_view name) const = 0;

  // The client has gone: nobody waits for the answer any more.
  virtual bool is_abandoned() const { return false; }

  // Sets `pinned` from the version in a path or message, for the endpoint that is set.
  Result<void> pin(std::string_view version);

  // --- the way ------------------------------------------------------------------------------
  protocol::PredictRequest request;
  protocol::PredictResponse response;
  std::shared_ptr<const RouteTable> table;  // The one snapshot for the whole request.
  const EndpointRoute* route = nullptr;
  const Lane* lane = nullptr;
  const char* reason = "";                // Why this arm: "split", "only", "pinned".
  double propensity = 1;                  // Probability with which the split chose this arm.
  std::optional<std::uint64_t> key_hash;  // Of the routing key, when the client gave one.
  std::string key;                        // The routing key itself; never recorded.
  std::vector<std::size_t> answered;      // Indices of the outputs that are answered, in order.
  std::vector<RowAnswer> answers;         // One per row.
  std::string_view id;                    // The client's, or made_id.
  std::array<char, 36> made_id{};
  std::int64_t decoded_ns = 0;   // monotonic_ns() after decoding and binding.
  std::int64_t inferred_ns = 0;  // monotonic_ns() after the model.
  enum class Step : std::uint8_t { idle, inferring, recording } step = Step::idle;

  // Forgets everything of the last request and keeps the memory.
  void clear_way() {
    request.clear();
    response.outputs.clear();
    table.reset();
    route = nullptr;
    lane = nullptr;
    reason = "";
    propensity = 1;
    key_hash.reset();
    key.clear();
    answered.clear();
    answers.clear();
    id = {};
    status = {};
    run_ns = 0;
    batch_rows = 0;
    priority = usual_priority;
    rows = 1;
    deadline = 0;
    step = Step::idle;
  }
};

}  // namespace weir::serve
