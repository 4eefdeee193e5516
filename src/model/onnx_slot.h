#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <vector>

#include "base/result.h"
#include "model/onnx_graph.h"
#include "tensor/tensor.h"

struct OrtIoBinding;

namespace weir::model {

struct BindingDeleter {
  const OrtApi* api = nullptr;
  void operator()(OrtIoBinding* binding) const;
};

// The inputs and outputs of a graph for one row, in memory that is bound to the graph once: a run
// copies small tensors in and out and allocates nothing. One thread at a time.
class BoundRow {
 public:
  // Requires: graph.knows_shapes(), inputs and outputs of numbers only.
  static Result<std::unique_ptr<BoundRow>> create(const OnnxGraph& graph);

  Result<void> run(const std::vector<tensor::Tensor>& inputs, std::vector<tensor::Tensor>& outputs);

 private:
  struct Bound {
    std::byte* data = nullptr;
    std::size_t size_bytes = 0;
    tensor::DataType datatype = tensor::DataType::fp32;
    tensor::Shape shape;
    Value value;
  };
  explicit BoundRow(const OnnxGraph& graph) : graph_(graph) {}
  static Result<Bound> bind(const OnnxGraph& graph, const Port& port, std::byte*& room);

  const OnnxGraph& graph_;
  std::vector<std::byte> memory_;
  std::vector<Bound> inputs_;
  std::vector<Bound> outputs_;
  std::unique_ptr<OrtIoBinding, BindingDeleter> binding_;
};

// A bound row for each thread that runs at once: a thread has a slot of its own by habit, and takes
// a neighbour's while that is busy. Thread-safe.
class SlotPool {
 public:
  // Above this many bytes of inputs and outputs together a copy costs more than binding anew.
  static constexpr std::size_t max_row_bytes = 16 * 1024;

  explicit SlotPool(const OnnxGraph& graph);

  // Whether requests of one row go through a slot at all.
  bool is_open() const { return !slots_.empty(); }

  // Runs one row through a free slot; false when all of them are busy.
  Result<bool> run(const std::vector<tensor::Tensor>& inputs, std::vector<tensor::Tensor>& outputs);

 private:
  // On a cache line of its own, because each belongs to one core most of the time.
  struct alignas(64) Slot {
    std::atomic_flag busy;
    std::unique_ptr<BoundRow> row;  // Made at the first use.
  };

  const OnnxGraph& graph_;
  std::vector<Slot> slots_;
};

}  // namespace weir::model
