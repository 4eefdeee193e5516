#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/onnx_library.h"
#include "model/onnx_values.h"
#include "tensor/tensor.h"

struct OrtSession;

namespace weir::model {

// An input or output of a graph.
struct Port {
  std::string name;
  DeclaredType type;
  // The shape is type.shape with the number of rows in place of the -1 of axis 0: no other axis is
  // variable. Inputs: as declared. Outputs: as seen when the graph ran on made-up input.
  bool follows_rows = false;

  // The shape for a number of rows. Requires: follows_rows.
  tensor::Shape shape_for(std::int64_t rows) const;
  // Bytes for a number of rows. Requires: follows_rows, a type of numbers.
  std::size_t bytes_for(std::int64_t rows) const;
};

struct SessionDeleter {
  const OrtApi* api = nullptr;
  void operator()(OrtSession* session) const;
};

// A loaded ONNX graph: what it takes, what it gives, and how to run it once. Immutable after load,
// except for what `run` learns about output shapes. Thread-safe.
class OnnxGraph {
 public:
  enum class Device : std::uint8_t { cpu, cuda };

  // `path` is a file that exists. Errors name the file. A device that the library was not built for
  // is an `unavailable` that says what it has.
  static Result<std::unique_ptr<OnnxGraph>> load(
      const OnnxLibrary& library, const std::string& path, Device device = Device::cpu
  );

  const OnnxLibrary& library() const { return library_; }
  OrtSession* session() const { return session_.get(); }
  const std::vector<Port>& inputs() const { return inputs_; }
  const std::vector<Port>& outputs() const { return outputs_; }
  // The keys of a map output; empty without one.
  const std::vector<std::string>& classes() const { return classes_; }
  bool has_row_axis() const { return has_row_axis_; }

  // Any shapes, any types. `outputs` has one tensor per output. `classes`, where wanted, receives
  // the keys of a map output.
  Result<void> run(
      std::vector<tensor::Tensor>& inputs,
      std::vector<tensor::Tensor>& outputs,
      std::vector<std::string>* classes = nullptr
  ) const;

  // Whether the shapes of all outputs follow from the number of rows, as far as seen.
  bool knows_shapes() const { return knows_shapes_.load(std::memory_order_relaxed); }
  // An output had another shape than expected: from now on the library allocates outputs.
  void forget_shapes() const { knows_shapes_.store(false, std::memory_order_relaxed); }

 private:
  explicit OnnxGraph(const OnnxLibrary& library) : library_(library) {}
  Result<void> read_ports();
  void probe();
  void learn(const std::vector<tensor::Tensor>& one, const std::vector<tensor::Tensor>& three);
  Result<void> run_once(
      std::vector<tensor::Tensor>& inputs,
      std::vector<tensor::Tensor>& outputs,
      bool with_known_shapes,
      std::vector<std::string>* classes
  ) const;

  const OnnxLibrary& library_;
  std::unique_ptr<OrtSession, SessionDeleter> session_;
  std::vector<Port> inputs_;
  std::vector<Port> outputs_;
  std::vector<const char*> input_names_;   // Into inputs_.
  std::vector<const char*> output_names_;  // Into outputs_.
  std::vector<std::string> classes_;
  bool has_row_axis_ = false;
  mutable std::atomic<bool> knows_shapes_ = false;
};

}  // namespace weir::model
