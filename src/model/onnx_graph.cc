#include "model/onnx_graph.h"

#include <algorithm>

#include <onnxruntime_c_api.h>

#include "base/check.h"
#include "base/log.h"

namespace weir::model {
namespace {

using tensor::DataType;
using tensor::Shape;
using tensor::Tensor;

using SessionOptionsOwner = std::unique_ptr<OrtSessionOptions, void (*)(OrtSessionOptions*)>;

Result<SessionOptionsOwner> make_options(const OrtApi& api) {
  OrtSessionOptions* raw = nullptr;
  TRY(check(api, api.CreateSessionOptions(&raw)));
  SessionOptionsOwner options(raw, api.ReleaseSessionOptions);
  TRY(check(api, api.DisablePerSessionThreads(raw)));
  TRY(check(api, api.SetSessionExecutionMode(raw, ORT_SEQUENTIAL)));
  TRY(check(api, api.SetSessionGraphOptimizationLevel(raw, ORT_ENABLE_ALL)));
  // The library would keep a memory plan for every batch size that it ever saw.
  TRY(check(api, api.DisableMemPattern(raw)));
  return options;
}

// Lets the graph run on the first GPU. The library says so itself when there is none.
Result<void> use_cuda(const OnnxLibrary& library, OrtSessionOptions* options) {
  const OrtApi& api = *library.api;
  char** names = nullptr;
  int count = 0;
  TRY(check(api, api.GetAvailableProviders(&names, &count)));
  bool has_cuda = false;
  std::string known;
  for (int i = 0; i < count; ++i) {
    const std::string_view name = names[i];
    has_cuda = has_cuda || name == "CUDAExecutionProvider";
    known += fmt::format("{}{}", known.empty() ? "" : ", ", name);
  }
  TRY(check(api, api.ReleaseAvailableProviders(names, count)));
  if (!has_cuda) {
    return fail(
        Code::unavailable,
        "the sidecar asks for device: cuda, and ONNX Runtime at '{}' has {} only; name a build for "
        "GPUs in the environment variable WEIR_ONNXRUNTIME, or take the line out",
        library.path,
        known
    );
  }
  OrtCUDAProviderOptionsV2* raw = nullptr;
  TRY(check(api, api.CreateCUDAProviderOptions(&raw)));
  const std::unique_ptr<OrtCUDAProviderOptionsV2, void (*)(OrtCUDAProviderOptionsV2*)> cuda(
      raw, api.ReleaseCUDAProviderOptions
  );
  return check(api, api.SessionOptionsAppendExecutionProvider_CUDA_V2(options, cuda.get()));
}

// The error of a session that could not be made, in words that help.
Error explain(const OrtApi& api, OrtStatus* status, const std::string& path) {
  const OrtErrorCode code = api.GetErrorCode(status);
  std::string reason = first_line(api.GetErrorMessage(status));
  api.ReleaseStatus(status);
  const std::string prefix = "Load model from " + path + " failed:";
  if (reason.starts_with(prefix)) reason.erase(0, prefix.size());
  const auto error = [&](std::string_view format) {
    return Error{Code::invalid_argument, fmt::format(fmt::runtime(format), path, reason)};
  };
  const bool lacks_operator = code == ORT_NOT_IMPLEMENTED ||
                              reason.find("is not a registered function/op") != std::string::npos ||
                              reason.find("No Op registered") != std::string::npos;
  if (lacks_operator) {
    return error(
        "cannot load '{}': it uses an operator that this ONNX Runtime does not have ({}): export "
        "the model for an older opset or without the custom operator, or name another ONNX Runtime "
        "in WEIR_ONNXRUNTIME"
    );
  }
  if (code == ORT_INVALID_PROTOBUF || code == ORT_NO_MODEL) {
    return error(
        "cannot load '{}': it is not an ONNX model, or a part of it is missing ({}): export or "
        "copy it again"
    );
  }
  return error("cannot load '{}': ONNX Runtime refuses it: {}");
}

using TypeOwner = std::unique_ptr<OrtTypeInfo, void (*)(OrtTypeInfo*)>;
using NameFunction = decltype(OrtApi::SessionGetInputName);
using TypeFunction = decltype(OrtApi::SessionGetInputTypeInfo);

Result<std::string> read_name(
    const OrtApi& api, const OrtSession* session, NameFunction function, std::size_t index
) {
  OrtAllocator* allocator = nullptr;  // The library's own.
  TRY(check(api, api.GetAllocatorWithDefaultOptions(&allocator)));
  char* name = nullptr;
  TRY(check(api, function(session, index, allocator, &name)));
  std::string copy = name;
  TRY(check(api, api.AllocatorFree(allocator, name)));
  return copy;
}

Result<DeclaredType> read_declared(
    const OrtApi& api, const OrtSession* session, TypeFunction function, std::size_t index
) {
  OrtTypeInfo* raw = nullptr;
  TRY(check(api, function(session, index, &raw)));
  const TypeOwner type(raw, api.ReleaseTypeInfo);
  return read_type(api, *type);
}

bool is_map(ValueKind kind) {
  return kind == ValueKind::map || kind == ValueKind::maps;
}

// Whether the only variable axis, if any, is axis 0, and that only where it counts rows.
bool depends_on_rows_only(const Shape& shape, bool has_row_axis) {
  for (std::size_t axis = 0; axis < shape.rank(); ++axis) {
    if (shape[axis] == -1 && (axis > 0 || !has_row_axis)) return false;
  }
  return true;
}

// Zeros, or empty texts; every variable axis but the rows has size 1.
Tensor made_up(const Port& port, std::int64_t rows) {
  Shape shape = port.type.shape;
  for (std::size_t axis = 0; axis < shape.rank(); ++axis) {
    if (shape[axis] == -1) shape.set(axis, axis == 0 ? rows : 1);
  }
  Tensor tensor;
  tensor.reset(port.type.datatype, shape);
  if (port.type.datatype == DataType::bytes) {
    for (std::size_t i = 0; i < tensor.size(); ++i) tensor.add_string({});
  }
  return tensor;
}

}  // namespace

Shape Port::shape_for(std::int64_t rows) const {
  Shape shape = type.shape;
  if (shape.rank() > 0 && shape[0] == -1) shape.set(0, rows);
  return shape;
}

std::size_t Port::bytes_for(std::int64_t rows) const {
  const auto count = shape_for(rows).element_count();
  CHECK(count.has_value(), "the shape is known but for the rows");
  return static_cast<std::size_t>(*count) * tensor::element_size(type.datatype);
}

void SessionDeleter::operator()(OrtSession* session) const {
  api->ReleaseSession(session);
}

Result<std::unique_ptr<OnnxGraph>> OnnxGraph::load(
    const OnnxLibrary& library, const std::string& path, Device device
) {
  const OrtApi& api = *library.api;
  const SessionOptionsOwner options = TRY(make_options(api));
  if (device == Device::cuda) {
    const Result<void> chosen = use_cuda(library, options.get());
    if (!chosen) {
      return fail(chosen.error().code, "cannot load '{}': {}", path, chosen.error().message);
    }
  }
  OrtSession* session = nullptr;
  OrtStatus* status = api.CreateSession(library.env, path.c_str(), options.get(), &session);
  if (status != nullptr) return tl::unexpected(explain(api, status, path));
  std::unique_ptr<OnnxGraph> graph(new OnnxGraph(library));
  graph->session_ = {session, SessionDeleter{&api}};
  if (auto read = graph->read_ports(); !read) {
    return fail(read.error().code, "cannot load '{}': {}", path, read.error().message);
  }
  graph->probe();
  return graph;
}

Result<void> OnnxGraph::read_ports() {
  const OrtApi& api = *library_.api;
  std::size_t count = 0;
  TRY(check(api, api.SessionGetInputCount(session_.get(), &count)));
  for (std::size_t i = 0; i < count; ++i) {
    Port port;
    port.name = TRY(read_name(api, session_.get(), api.SessionGetInputName, i));
    auto type = read_declared(api, session_.get(), api.SessionGetInputTypeInfo, i);
    if (!type || is_map(type->kind)) {
      return fail(
          Code::invalid_argument,
          "input '{}' is {}; inputs have to be tensors, so export the model from after that step",
          port.name,
          type ? "a map" : type.error().message
      );
    }
    port.type = *type;
    inputs_.push_back(std::move(port));
  }
  TRY(check(api, api.SessionGetOutputCount(session_.get(), &count)));
  std::string left_out;
  for (std::size_t i = 0; i < count; ++i) {
    Port port;
    port.name = TRY(read_name(api, session_.get(), api.SessionGetOutputName, i));
    auto type = read_declared(api, session_.get(), api.SessionGetOutputTypeInfo, i);
    if (!type) {
      left_out = fmt::format("output '{}' is {}", port.name, type.error().message);
      LOG(warning, "{}, which cannot be answered: it is left out", left_out);
      continue;
    }
    port.type = *type;
    outputs_.push_back(std::move(port));
  }
  if (inputs_.empty()) return fail(Code::invalid_argument, "the model has no input");
  if (outputs_.empty()) {
    return fail(
        Code::invalid_argument,
        "no output is a tensor or a map of class probabilities ({})",
        left_out.empty() ? "there is none" : left_out
    );
  }
  for (const Port& port : inputs_) input_names_.push_back(port.name.c_str());
  for (const Port& port : outputs_) output_names_.push_back(port.name.c_str());
  has_row_axis_ = std::ranges::all_of(inputs_, [](const Port& port) {
    return port.type.shape.rank() > 0 && port.type.shape[0] == -1;
  });
  for (Port& port : inputs_) {
    port.follows_rows = depends_on_rows_only(port.type.shape, has_row_axis_);
  }
  return {};
}

// Runs the graph with one row and with three: a shape that was [1, k] and [3, k] follows the rows.
// A graph may refuse the made-up input; then its shapes stay as declared.
void OnnxGraph::probe() {
  std::vector<Tensor> inputs;
  std::vector<Tensor> one(outputs_.size());
  std::vector<Tensor> three(outputs_.size());
  for (const Port& port : inputs_) inputs.push_back(made_up(port, 1));
  auto ran = run_once(inputs, one, false, &classes_);
  if (ran && has_row_axis_) {
    for (std::size_t i = 0; i < inputs_.size(); ++i) inputs[i] = made_up(inputs_[i], 3);
    ran = run_once(inputs, three, false, nullptr);
  }
  if (!ran) {
    LOG(debug, "the model does not take made-up input: {}", ran.error().message);
    return;
  }
  learn(one, has_row_axis_ ? three : one);
}

void OnnxGraph::learn(const std::vector<Tensor>& one, const std::vector<Tensor>& three) {
  const bool fixed = std::ranges::all_of(inputs_, &Port::follows_rows);
  bool knows_all = fixed;
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    Port& port = outputs_[i];
    const Shape& seen = one[i].shape();
    Shape with_rows = seen;
    const bool grows = has_row_axis_ && seen.rank() > 0 && seen[0] == 1;
    if (grows) with_rows.set(0, 3);
    if (grows && with_rows == three[i].shape()) {
      with_rows.set(0, -1);
    } else if (seen == three[i].shape()) {
      with_rows = seen;
    } else {
      knows_all = false;
      continue;
    }
    // Where the number of columns was left open, or the shape altogether, what was seen is the best
    // that can be told; a shape that may depend on the values stays as declared.
    const bool says_more = grows || is_map(port.type.kind) || port.type.shape.rank() != seen.rank();
    if (fixed && says_more) port.type.shape = with_rows;
    port.follows_rows = fixed && port.type.kind == ValueKind::plain &&
                        depends_on_rows_only(with_rows, has_row_axis_) &&
                        port.type.shape == with_rows;
    knows_all = knows_all && port.follows_rows;
  }
  knows_shapes_.store(knows_all);
}

Result<void> OnnxGraph::run(
    std::vector<Tensor>& inputs, std::vector<Tensor>& outputs, std::vector<std::string>* classes
) const {
  if (!knows_shapes()) return run_once(inputs, outputs, false, classes);
  auto ran = run_once(inputs, outputs, true, classes);
  if (ran) return ran;
  // Either the input is at fault, or an output's shape depends on the values after all.
  auto again = run_once(inputs, outputs, false, classes);
  if (again) forget_shapes();
  return again;
}

Result<void> OnnxGraph::run_once(
    std::vector<Tensor>& inputs,
    std::vector<Tensor>& outputs,
    bool with_known_shapes,
    std::vector<std::string>* classes
) const {
  CHECK(inputs.size() == inputs_.size(), "inputs are bound to the signature before");
  std::vector<Value> owners;  // Of inputs, then of outputs.
  std::vector<const OrtValue*> given;
  std::vector<OrtValue*> answers(outputs_.size(), nullptr);
  owners.reserve(inputs_.size() + outputs_.size());
  given.reserve(inputs_.size());
  for (Tensor& input : inputs) {
    owners.push_back(TRY(to_value(library_, input)));
    given.push_back(owners.back().get());
  }
  if (with_known_shapes) {
    const std::int64_t rows = has_row_axis_ ? inputs.front().shape()[0] : 1;
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      outputs[i].reset(outputs_[i].type.datatype, outputs_[i].shape_for(rows));
      owners.push_back(TRY(to_value(library_, outputs[i])));
      answers[i] = owners.back().get();
    }
  }
  auto ran = check(
      *library_.api,
      library_.api->Run(
          session_.get(),
          nullptr,
          input_names_.data(),
          given.data(),
          given.size(),
          output_names_.data(),
          output_names_.size(),
          answers.data()
      )
  );
  if (with_known_shapes) return ran;
  for (OrtValue* answer : answers) {
    if (answer != nullptr) owners.emplace_back(answer, ValueDeleter{library_.api});
  }
  if (!ran) return ran;
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    if (answers[i] == nullptr) {
      return fail(Code::internal, "the model gave no value for output '{}'", outputs_[i].name);
    }
    const bool wants_classes = classes != nullptr && is_map(outputs_[i].type.kind);
    TRY(to_tensor(
        library_, *answers[i], outputs_[i].type, outputs[i], wants_classes ? classes : nullptr
    ));
  }
  return {};
}

}  // namespace weir::model
