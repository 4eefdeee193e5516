#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "model/signature.h"
#include "tensor/tensor.h"

// A loaded model: takes input tensors, gives output tensors.

namespace weir::model {

// One execution. It belongs to the caller, who keeps it where it is until it is complete, and uses
// it again afterwards, so that its tensors keep their memory.
class Inference {
 public:
  virtual ~Inference() = default;

  std::vector<tensor::Tensor> inputs;   // In the order of signature().inputs, bound and checked.
  std::vector<tensor::Tensor> outputs;  // In the order of signature().outputs.
  std::size_t rows = 1;
  Moment deadline = 0;      // 0 is none. Wall clock.
  Result<void> status;      // Set by the session before it is complete.
  std::int64_t run_ns = 0;  // Time inside the model, set by the session.

  // Where inferences wait for each other: since when it could have run (monotonic), and who goes
  // first; lower is more urgent, and one that names none stands at `usual_priority`.
  static constexpr std::uint64_t usual_priority = 100;
  std::int64_t ready_ns = 0;
  std::uint64_t priority = usual_priority;
  // Rows of the execution that it counts: of the whole batch for one of its members, else 0.
  std::size_t batch_rows = 0;
  // W3C trace context, for a session that asks another server: valid, or empty. Borrowed until the
  // execution is complete.
  std::string_view traceparent;
  std::string_view tracestate;

  // Called by the session, from a thread of its own, when infer() returned Progress::pending:
  // once, after `status` and `outputs` are set.
  virtual void complete() = 0;
};

enum class Progress : std::uint8_t {
  done,     // `status` and `outputs` are set; complete() is not called.
  pending,  // complete() will be called later, perhaps before infer() has returned.
};

// Thread-safe: many threads may infer at once. Destroying it gives its memory back to the system;
// nobody may be inferring then.
class Session {
 public:
  virtual ~Session() = default;
  virtual const Signature& signature() const = 0;
  virtual Progress infer(Inference& inference) = 0;
  // Whether infer() is done when it returns; a session elsewhere answers later.
  virtual bool is_inline() const { return true; }
  // Whether the thread that infers does the work itself, so that its CPU clock tells the cost.
  virtual bool runs_on_caller() const { return is_inline(); }
  // Bytes of memory that the model holds, as far as known; 0 when unknown.
  virtual std::size_t memory_bytes() const { return 0; }
};

struct SessionOptions {
  int onnx_threads = 1;      // Of ONNX Runtime's pool, which all models share.
  bool use_cuda = false;     // The sidecar of one model asks for it.
  std::string onnx_library;  // Path of libonnxruntime; empty = found by itself.
  std::uint64_t max_artifact_bytes = 4ULL << 30;
  std::uint32_t max_forest_nodes = 1U << 28;

  // Of a session that another server answers (*.remote).
  std::int64_t remote_timeout_us = 30 * us_per_second;  // Of one call, with connecting.
  int remote_connections = 8;                           // Calls that are under way at once…
  std::size_t remote_queue = 1024;                      // …and that wait for one of them to end.
  std::uint64_t remote_answer_bytes = 256ULL << 20;

  // Of a session in a process of its own (sidecar: isolation: process).
  std::string isolated_program = "/proc/self/exe";  // Understands `weir model-host`.
  int isolated_threads = 0;                         // Calls inside the process; 0: one per core.
  std::size_t isolated_queue = 1024;                // Calls that wait for one of them to end.
  std::uint64_t isolated_message_bytes = 1ULL << 30;
  std::int64_t isolated_load_us = 300 * us_per_second;
  std::int64_t isolated_run_us = 60 * us_per_second;  // A call that takes longer ends the process.
  // How long a process that keeps dying stays away: twice as long every time.
  std::int64_t isolated_first_pause_us = us_per_second / 10;
  std::int64_t isolated_last_pause_us = 30 * us_per_second;
  std::int64_t isolated_wait_us = us_per_second;  // Calls wait for pauses up to this.
};

// One row of zeros and empty texts, in the order of the signature's inputs.
void make_up_row(const Signature& signature, std::vector<tensor::Tensor>& inputs);

// Loads an artifact file by its content and name (*.onnx, *.ubj, *.json, *.txt of LightGBM, or
// *.remote: a text file whose first line is http://host:port/v2/models/NAME[/versions/V]), applies
// the sidecar `<path>.yaml` when there is one, and infers once on made-up input so that the first
// request is not the slow one. An artifact that cannot be loaded is an invalid_argument that says
// why and names the formats that can.
// A sidecar that asks for it is obeyed with a process of its own.
Result<std::unique_ptr<Session>> load_session(
    const std::string& path, const SessionOptions& options
);

// The same in this process, whatever the sidecar asks for.
Result<std::unique_ptr<Session>> load_session_here(
    const std::string& path, const SessionOptions& options
);

}  // namespace weir::model
