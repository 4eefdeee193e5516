#include "serve/predictor.h"

#include "base/check.h"
#include "base/id.h"
#include "rollout/split.h"
#include "serve/bind.h"
#include "serve/routing_key.h"

namespace weir::serve {

using rollout::Arm;

namespace {

// Where a request without a key falls.
std::uint32_t random_place() {
  return static_cast<std::uint32_t>(random64() % rollout::whole_ppm);
}

// Not a failure of the model: it is counted on its own.
tl::unexpected<Error> abandoned() {
  return fail(Code::cancelled, "the client has gone before the answer");
}

FailReason reason_of(Code code) {
  if (code == Code::exhausted || code == Code::deadline) return FailReason::rejected;
  return code == Code::internal ? FailReason::in_model : FailReason::other;
}

}  // namespace

void Predictor::start(Call& call) {
  if (const Result<void> admitted = admit(call); !admitted) {
    call.refuse(admitted.error());
    return;
  }
  const Result<model::Progress> progress = begin(call);
  if (!progress) call.status = tl::unexpected(progress.error());
  if (progress && *progress == model::Progress::pending) return;
  finish(call);
}

void Predictor::resume(Call& call) {
  if (call.step == Call::Step::inferring) {
    finish(call);
  } else {
    end(call);
  }
}

Result<void> Predictor::admit(Call& call) {
  call.table = routes_.load();
  const auto found = call.table->find(call.endpoint);
  call.route = found == call.table->end() ? nullptr : found->second.get();
  // With a second version that could be the one, the plan has to say first.
  if (call.route != nullptr && call.route->has_one_version() && !call.pinned) {
    const Version& version = *call.route->primary.version;
    if (version.is_overloaded(version.limits().deadline_us)) {
      version.meter().refused.fetch_add(1, std::memory_order_relaxed);
      version.statistics().add_failure(FailReason::rejected);
      return fail(
          Code::exhausted,
          "{} requests wait for model '{}' already, more than can be answered in time; try again "
          "later",
          version.queued(),
          call.endpoint
      );
    }
  }
  return admission_.enter();
}

Result<model::Progress> Predictor::begin(Call& call) {
  TRY(call.decode());
  TRY(plan(call));
  const Version& version = *call.lane->version;
  TRY(bind_inputs(version.signature(), call.request, call));
  TRY(bind_outputs(version.signature(), call.request, call.answered));
  call.decoded_ns = monotonic_ns();
  call.ready_ns = call.received_ns;
  if (call.request.priority.value_or(0) != 0) call.priority = *call.request.priority;
  if (call.deadline == 0 && version.limits().deadline_us != 0) {
    call.deadline = call.arrived + version.limits().deadline_us;
  }
  if (call.deadline != 0 &&
      call.arrived + (call.decoded_ns - call.received_ns) / 1000 > call.deadline) {
    return fail(Code::deadline, "the request's timeout passed before the model could start");
  }
  if (call.is_abandoned()) return abandoned();
  if (!version.enter()) {
    return fail(
        Code::exhausted,
        "model '{}' version {} is answering {} requests already (max_concurrency)",
        call.endpoint,
        version.number(),
        version.in_flight()
    );
  }
  call.step = Call::Step::inferring;
  return version.infer(call);
}

void Predictor::finish(Call& call) {
  call.inferred_ns = monotonic_ns();
  if (call.status && call.is_abandoned()) call.status = abandoned();
  if (call.step == Call::Step::inferring) call.lane->version->leave();
  if (call.lane != nullptr) {
    decide(call);
    const auto ticket = record(call);
    if (call.status && call.lane->arm == Arm::primary && !call.route->shadows.empty() &&
        !call.pinned) {
      // Under load they are the first to go.
      const bool is_busy = call.is_behind || call.lane->version->is_half_full();
      is_busy ? shadows_.drop(call) : shadows_.offer(call);
    }
    count(call);
    if (ticket) {
      // The last thing that this thread does with the call.
      call.step = Call::Step::recording;
      recorder_.when_durable(*ticket, [&call](const Result<void>& synced) {
        if (!synced) call.status = tl::unexpected(synced.error());
        call.complete();
      });
      return;
    }
  }
  end(call);
}

void Predictor::abandon(Call& call) {
  if (call.step != Call::Step::inferring || !call.lane->version->withdraw(call)) return;
  call.status = abandoned();
  finish(call);
}

void Predictor::end(Call& call) {
  admission_.leave();
  call.step = Call::Step::idle;
  if (!call.status) {
    call.refuse(call.status.error());
    return;
  }
  call.answer();
}

Result<void> Predictor::plan(Call& call) const {
  if (call.route == nullptr) {
    return fail(
        Code::not_found,
        "unknown model '{}'; GET /api/v1/endpoints lists those that are served",
        call.endpoint
    );
  }
  if (!call.route->is_ready()) {
    return fail(Code::unavailable, "model '{}' is not loaded", call.endpoint);
  }
  name_the_call(call);
  TRY(read_routing_key(call));
  if (call.pinned) {
    call.lane = call.route->pinned_lane(*call.pinned);
    call.reason = "pinned";
    if (call.lane != nullptr) return {};
    return fail(
        Code::not_found, "model '{}' has no loaded version {}", call.endpoint, *call.pinned
    );
  }
  const EndpointRoute& route = *call.route;
  call.lane = &route.primary;
  call.reason = "only";
  if (route.candidate.version == nullptr) return {};
  const Arm arm = call.key_hash ? rollout::arm_of(call.key, route.seed, route.candidate_ppm)
                                : rollout::arm_at(random_place(), route.candidate_ppm);
  if (arm == Arm::candidate) call.lane = &route.candidate;
  call.reason = call.key_hash ? "split" : "random";
  call.propensity = rollout::propensity(arm, route.candidate_ppm);
  return {};
}

// The id in the record and in the answer: the client's own, that of its transport, or a new UUIDv7.
void Predictor::name_the_call(Call& call) const {
  if (!call.request.id.empty()) {
    call.id = call.request.id;
    return;
  }
  if (!call.outer_id.empty()) {
    call.id = call.outer_id;
    return;
  }
  call.made_id = make_uuid7(call.arrived).text();
  call.id = {call.made_id.data(), call.made_id.size()};
}

void Predictor::decide(Call& call) const {
  const Version& version = *call.lane->version;
  if (call.status) {
    read_answers(version.signature(), call.outputs, call.rows, call.answers);
  }
  protocol::PredictResponse& response = call.response;
  response.model_name = call.endpoint;
  response.model_version = version.number_text();
  response.id = call.id;
  response.arm = rollout::to_string(call.lane->arm);
  response.decision = "answered";
  response.outputs.clear();
  if (!call.status) return;
  for (std::size_t i = 0; i < call.answered.size(); ++i) {
    const std::size_t output = call.answered[i];
    bool binary = call.request.binary_output || call.request.raw;
    if (i < call.request.outputs.size()) {
      binary = call.request.outputs[i].binary.value_or(binary);
    }
    response.outputs.push_back(
        {version.signature().outputs[output].name, &call.outputs[output], binary}
    );
  }
}

// A ticket when the answer has to wait until the record is on the device.
std::optional<Recorder::Ticket> Predictor::record(Call& call) {
  const bool was_bound = call.step == Call::Step::inferring;
  RecordRequest record;
  record.version = call.lane->version;
  record.rows = call.rows;
  if (was_bound) record.inputs = call.inputs;
  if (call.status) record.outputs = call.outputs;
  record.answers = call.answers;
  std::array<std::string_view, RecordLayout::max_metadata> metadata;
  const auto& names = call.lane->version->layout().metadata();
  for (std::size_t i = 0; i < names.size(); ++i) {
    // A trace context that is not valid is none.
    metadata[i] = names[i] == "traceparent" ? call.traceparent : call.metadata(names[i]);
  }
  record.metadata = {metadata.data(), names.size()};

  ledger::RecordHead& head = record.head;
  head.id = call.id;
  head.time = call.request.time.value_or(call.arrived);
  head.recorded_at = call.arrived;
  head.version = call.lane->version->number();
  head.arm = rollout::to_string(call.lane->arm);
  head.stage = call.route->stage;
  head.rollout = call.route->rollout;
  head.reason = call.reason;
  head.propensity = call.propensity;
  head.key_hash = call.key_hash;
  head.is_error = !call.status;
  if (!call.status) head.error = to_string(call.status.error().code);
  head.decision = call.status ? call.response.decision : std::string_view();
  head.latency_us = static_cast<double>(call.inferred_ns - call.received_ns) / 1e3;
  const std::int64_t waited_ns = call.inferred_ns - call.decoded_ns - call.run_ns;
  head.queue_us = was_bound && waited_ns > 0 ? static_cast<double>(waited_ns) / 1e3 : 0;
  head.run_us = static_cast<double>(call.run_ns) / 1e3;
  const std::optional<Recorder::Ticket> ticket = recorder_.record(record);
  if (!call.route->durability_always || !call.status) return std::nullopt;
  if (!ticket) {
    call.status = fail(
        Code::unavailable,
        "the record of this request cannot be stored and endpoint '{}' asks for durability: always",
        call.endpoint
    );
  }
  return ticket;
}

void Predictor::count(Call& call) const {
  const Lane& lane = *call.lane;
  const std::int64_t total_ns = call.inferred_ns - call.received_ns;
  const bool is_cancelled = !call.status && call.status.error().code == Code::cancelled;
  if (is_cancelled) {
    lane.requests_cancelled->add();
  } else {
    (call.status ? lane.requests_ok : lane.requests_failed)->add();
  }
  lane.rows->add(call.rows);
  lane.latency->observe(total_ns);
  VersionStatistics& statistics = lane.version->statistics();
  if (is_cancelled) {
    statistics.cancelled.add(total_ns);
    return;
  }
  if (!call.status) {
    statistics.fail.add(total_ns);
    statistics.add_failure(reason_of(call.status.error().code));
    return;
  }
  const std::int64_t queue_ns = call.inferred_ns - call.decoded_ns - call.run_ns;
  const std::int64_t input_ns = call.decoded_ns - call.received_ns;
  statistics.success.add(total_ns);
  statistics.queue.add(queue_ns);
  statistics.compute_input.add(input_ns);
  statistics.compute_infer.add(call.run_ns);
  statistics.compute_output.add(0);
  statistics.inference_count.fetch_add(call.rows, std::memory_order_relaxed);
  statistics.last_inference.store(call.arrived, std::memory_order_relaxed);
  // One member of a batch counts its execution.
  if (call.batch_rows == 0) return;
  statistics.execution_count.fetch_add(1, std::memory_order_relaxed);
  if (auto* batch = statistics.of_batch_size(call.batch_rows)) {
    batch->compute_input.add(input_ns);
    batch->compute_infer.add(call.run_ns);
    batch->compute_output.add(0);
  }
}

}  // namespace weir::serve
