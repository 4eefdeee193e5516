#include "model/onnx_session.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <system_error>

#include <malloc.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
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
  OnnxSession(
      std::unique_ptr<OnnxGraph> graph, std::string name, std::size_t memory_bytes, bool uses_cuda
  )
      : graph_(std::move(graph)),
        slots_(std::in_place, *graph_),
        signature_(make_signature(*graph_)),
        name_(std::move(name)),
        memory_bytes_(memory_bytes),
        uses_cuda_(uses_cuda) {}

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

  bool runs_on_caller() const override { return !uses_cuda_; }

  // What the process grew by when it was loaded and had run once, at least the file: the library
  // itself does not say.
  std::size_t memory_bytes() const override { return memory_bytes_; }

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
  std::size_t memory_bytes_;
  bool uses_cuda_;
};

// Bytes of this process that are in memory.
std::size_t resident_bytes() {
  const auto text = system_files().read("/proc/self/statm");
  if (!text) return 0;
  std::size_t pages = 0;
  const std::size_t space = text->find(' ');
  if (space == std::string::npos) return 0;
  std::from_chars(text->data() + space + 1, text->data() + text->size(), pages);
  return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

Result<std::unique_ptr<Session>> load_onnx(const std::string& path, const SessionOptions& options) {
  const OnnxLibrary* library = TRY(onnx_library(options));
  using Device = OnnxGraph::Device;
  const std::size_t before = resident_bytes();
  auto graph = TRY(OnnxGraph::load(*library, path, options.use_cuda ? Device::cuda : Device::cpu));
  std::error_code ignored;
  const auto size = std::filesystem::file_size(path, ignored);
  ::malloc_trim(0);  // Loading takes several times what stays.
  const std::size_t after = resident_bytes();
  const std::size_t grown = after > before ? after - before : 0;
  return std::make_unique<OnnxSession>(
      std::move(graph),
      std::filesystem::path(path).filename().string(),
      std::max(grown, ignored ? 0 : static_cast<std::size_t>(size)),
      options.use_cuda
  );
}

}  // namespace weir::model
