#include "model/onnx_slot.h"

#include <algorithm>
#include <cstring>
#include <thread>

#include <onnxruntime_c_api.h>

#include "base/check.h"

namespace weir::model {
namespace {

using tensor::Tensor;

// Where the tensors of a row begin, so that the library may use its widest instructions.
constexpr std::size_t alignment = 64;
constexpr unsigned max_slots = 64;

std::size_t round_up(std::size_t size) {
  return (size + alignment - 1) / alignment * alignment;
}

std::size_t row_bytes(const OnnxGraph& graph) {
  std::size_t total = 0;
  for (const auto* ports : {&graph.inputs(), &graph.outputs()}) {
    for (const Port& port : *ports) total += round_up(port.bytes_for(1));
  }
  return total;
}

bool has_numbers_only(const OnnxGraph& graph) {
  const auto is_plain = [](const Port& port) { return port.type.kind == ValueKind::plain; };
  return std::ranges::all_of(graph.inputs(), is_plain) &&
         std::ranges::all_of(graph.outputs(), is_plain);
}

// A small number of its own for each thread that ever ran a model.
unsigned thread_number() {
  static std::atomic<unsigned> next = 0;
  thread_local const unsigned number = next.fetch_add(1, std::memory_order_relaxed);
  return number;
}

class Release {
 public:
  explicit Release(std::atomic_flag& busy) : busy_(busy) {}
  Release(const Release&) = delete;
  Release& operator=(const Release&) = delete;
  ~Release() { busy_.clear(std::memory_order_release); }

 private:
  std::atomic_flag& busy_;
};

}  // namespace

void BindingDeleter::operator()(OrtIoBinding* binding) const {
  api->ReleaseIoBinding(binding);
}

Result<BoundRow::Bound> BoundRow::bind(const OnnxGraph& graph, const Port& port, std::byte*& room) {
  Bound bound;
  bound.data = room;
  bound.size_bytes = port.bytes_for(1);
  bound.datatype = port.type.datatype;
  bound.shape = port.shape_for(1);
  bound.value = TRY(wrap(graph.library(), room, bound.size_bytes, bound.datatype, bound.shape));
  room += round_up(bound.size_bytes);
  return bound;
}

Result<std::unique_ptr<BoundRow>> BoundRow::create(const OnnxGraph& graph) {
  const OrtApi& api = *graph.library().api;
  std::unique_ptr<BoundRow> row(new BoundRow(graph));
  row->memory_.resize(row_bytes(graph) + alignment);
  void* begin = row->memory_.data();
  std::size_t space = row->memory_.size();
  CHECK(std::align(alignment, 1, begin, space) != nullptr, "there is room to align");
  auto* room = static_cast<std::byte*>(begin);

  OrtIoBinding* binding = nullptr;
  TRY(check(api, api.CreateIoBinding(graph.session(), &binding)));
  row->binding_ = {binding, BindingDeleter{&api}};
  for (const Port& port : graph.inputs()) {
    row->inputs_.push_back(TRY(bind(graph, port, room)));
    TRY(check(api, api.BindInput(binding, port.name.c_str(), row->inputs_.back().value.get())));
  }
  for (const Port& port : graph.outputs()) {
    row->outputs_.push_back(TRY(bind(graph, port, room)));
    TRY(check(api, api.BindOutput(binding, port.name.c_str(), row->outputs_.back().value.get())));
  }
  return row;
}

Result<void> BoundRow::run(const std::vector<Tensor>& inputs, std::vector<Tensor>& outputs) {
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    const auto raw = inputs[i].raw();
    CHECK(raw.size() == inputs_[i].size_bytes, "inputs are bound to the signature before");
    if (!raw.empty()) std::memcpy(inputs_[i].data, raw.data(), raw.size());
  }
  const OrtApi& api = *graph_.library().api;
  TRY(check(api, api.RunWithBinding(graph_.session(), nullptr, binding_.get())));
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    outputs[i].reset(outputs_[i].datatype, outputs_[i].shape);
    if (outputs_[i].size_bytes == 0) continue;
    std::memcpy(outputs[i].raw().data(), outputs_[i].data, outputs_[i].size_bytes);
  }
  return {};
}

SlotPool::SlotPool(const OnnxGraph& graph)
    : graph_(graph),
      slots_(
          graph.knows_shapes() && has_numbers_only(graph) && row_bytes(graph) <= max_row_bytes
              ? std::clamp(std::thread::hardware_concurrency(), 1U, max_slots)
              : 0
      ) {}

Result<bool> SlotPool::run(const std::vector<Tensor>& inputs, std::vector<Tensor>& outputs) {
  const std::size_t count = slots_.size();
  const std::size_t first = thread_number() % count;
  for (std::size_t i = 0; i < count; ++i) {
    Slot& slot = slots_[(first + i) % count];
    if (slot.busy.test_and_set(std::memory_order_acquire)) continue;
    const Release release(slot.busy);
    if (slot.row == nullptr) slot.row = TRY(BoundRow::create(graph_));
    TRY(slot.row->run(inputs, outputs));
    return true;
  }
  return false;
}

}  // namespace weir::model
