#include "model/onnx_session.h"

#include <filesystem>
#include <system_error>

#include <malloc.h>

#include "base/clock.h"
#include "model/onnx_graph.h"
#include "model/onnx_library.h"
#include "model/onnx_slot.h"

namespace weir::model {
namespace {

Signature make_signature(const OnnxGraph& graph) {
  Signature signature;
  signature.platform = "onnx_onnxv1";
  signature.classes = graph.classes();
  for (const Port& port : graph.inputs()) {
    signature.inputs.push_back({port.name, port.type.datatype, port.type.shape});
  }
  for (const Port& port : graph.outputs()) {
    signature.outputs.push_back({port.name, port.type.datatype, port.type.shape});
  }
  derive_meaning(signature);
  return signature;
}

class OnnxSession final : public Session {
 public:
  OnnxSession(std::unique_ptr<OnnxGraph> graph, std::string name, std::size_t file_bytes)
      : graph_(std::move(graph)),
        slots_(std::in_place, *graph_),
        signature_(make_signature(*graph_)),
        name_(std::move(name)),
        file_bytes_(file_bytes) {}

  OnnxSession(const OnnxSession&) = delete;
  OnnxSession& operator=(const OnnxSession&) = delete;
  ~OnnxSession() override {
    slots_.reset();
    graph_.reset();
    ::malloc_trim(0);  // The allocator would keep the freed pages for itself.
  }

  const Signature& signature() const override { return signature_; }

  Progress infer(Inference& inference) override {
    const std::int64_t begin_ns = monotonic_ns();
    inference.outputs.resize(graph_->outputs().size());
    inference.status = run(inference);
    if (!inference.status) [[unlikely]]
      name_the_model(inference.status.error());
    inference.run_ns = monotonic_ns() - begin_ns;
    return Progress::done;
  }

  // The weights as they are on disk: what the library holds beyond them it does not say.
  std::size_t memory_bytes() const override { return file_bytes_; }

 private:
  Result<void> run(Inference& inference) {
    const bool is_one_row = !graph_->has_row_axis() || inference.inputs.front().shape()[0] == 1;
    if (is_one_row && slots_->is_open() && graph_->knows_shapes()) {
      const auto ran = slots_->run(inference.inputs, inference.outputs);
      if (ran && *ran) [[likely]]
        return {};
      // All slots are busy, or it failed: then `run` finds out whether the input is at fault.
    }
    return graph_->run(inference.inputs, inference.outputs);
  }

  void name_the_model(Error& error) const {
    error.message = fmt::format("model '{}' failed: {}", name_, error.message);
  }

  std::unique_ptr<OnnxGraph> graph_;
  std::optional<SlotPool> slots_;
  Signature signature_;
  std::string name_;
  std::size_t file_bytes_;
};

}  // namespace

Result<std::unique_ptr<Session>> load_onnx(const std::string& path, const SessionOptions& options) {
  const OnnxLibrary* library = TRY(onnx_library(options));
  auto graph = TRY(OnnxGraph::load(*library, path));
  std::error_code ignored;
  const auto size = std::filesystem::file_size(path, ignored);
  ::malloc_trim(0);  // Loading takes several times what stays.
  return std::make_unique<OnnxSession>(
      std::move(graph),
      std::filesystem::path(path).filename().string(),
      ignored ? 0 : static_cast<std::size_t>(size)
  );
}

}  // namespace weir::model
