#include "model/host_message.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#include "protocol/predict.h"
#include "protocol/v2_binary.h"

namespace weir::model {
namespace {

using tensor::DataType;
using tensor::Shape;

tl::unexpected<Error> too_short() {
  return fail(Code::corrupt, "a message of a model's process is too short");
}

tl::unexpected<Error> impossible(std::string_view what) {
  return fail(Code::corrupt, "a message of a model's process holds an impossible {}", what);
}

template <class Enumeration>
Result<Enumeration> to_enumeration(std::uint64_t number, Enumeration last, std::string_view what) {
  if (number > static_cast<std::uint64_t>(last)) return impossible(what);
  return static_cast<Enumeration>(number);
}

void put_specs(const std::vector<TensorSpec>& specs, Message& message) {
  message.put(specs.size());
  for (const TensorSpec& spec : specs) {
    message.put(std::string_view(spec.name));
    message.put(static_cast<std::uint64_t>(spec.datatype));
    message.put(spec.shape);
  }
}

void put_element(const std::optional<OutputElement>& element, Message& message) {
  message.put(element ? 1U : 0U);
  message.put(element ? element->output : 0);
  message.put(element ? element->index : 0);
}

Result<std::optional<OutputElement>> take_element(Message& message) {
  const bool is_there = TRY(message.take_number()) != 0;
  OutputElement element;
  element.output = TRY(message.take_number());
  element.index = TRY(message.take_number());
  return is_there ? std::optional(element) : std::nullopt;
}

Result<Feature> take_feature(Message& message) {
  Feature feature;
  feature.name = TRY(message.take_text());
  feature.unit = TRY(message.take_text());
  feature.may_be_missing = TRY(message.take_number()) != 0;
  const std::uint64_t keep = TRY(message.take_number());
  feature.store = TRY(to_enumeration(keep, Keep::drop, "way to store a feature"));
  feature.input = TRY(message.take_number());
  feature.index = TRY(message.take_number());
  return feature;
}

}  // namespace

void Message::clear() {
  constexpr std::size_t kept_bytes = 1U << 20;
  if (bytes_.capacity() > kept_bytes) bytes_ = std::string();
  bytes_.clear();
  position_ = 0;
}

std::string& Message::reset_bytes(std::uint64_t size) {
  clear();
  bytes_.resize(size);
  return bytes_;
}

void Message::put(std::uint64_t number) {
  std::array<char, sizeof number> bytes{};
  std::memcpy(bytes.data(), &number, sizeof number);
  bytes_.append(bytes.data(), bytes.size());
}

void Message::put(std::string_view text) {
  put(static_cast<std::uint64_t>(text.size()));
  bytes_.append(text);
}

void Message::put(const Shape& shape) {
  put(shape.rank());
  for (const std::int64_t size : shape.dimensions()) put(static_cast<std::uint64_t>(size));
}

void Message::put(const Signature& signature) {
  put(std::string_view(signature.platform));
  put_specs(signature.inputs, *this);
  put_specs(signature.outputs, *this);
  put(static_cast<std::uint64_t>(signature.task));
  put(signature.classes.size());
  for (const std::string& name : signature.classes) put(std::string_view(name));
  put(signature.features.size());
  for (const Feature& feature : signature.features) {
    put(std::string_view(feature.name));
    put(std::string_view(feature.unit));
    put(feature.may_be_missing ? 1U : 0U);
    put(static_cast<std::uint64_t>(feature.store));
    put(feature.input);
    put(feature.index);
  }
  put_element(signature.score, *this);
  put_element(signature.predicted, *this);
  put(signature.has_row_axis ? 1U : 0U);
}

void Message::put(const std::vector<tensor::Tensor>& tensors) {
  put(tensors.size());
  for (const tensor::Tensor& tensor : tensors) {
    put(static_cast<std::uint64_t>(tensor.datatype()));
    put(tensor.shape());
    put(protocol::binary_size(tensor));
    protocol::append_binary(tensor, bytes_);
  }
}

void Message::put(const Error& error) {
  put(static_cast<std::uint64_t>(error.code));
  put(std::string_view(error.message));
}

Result<std::uint64_t> Message::take_number() {
  std::uint64_t number = 0;
  if (bytes_.size() - position_ < sizeof number) return too_short();
  std::memcpy(&number, bytes_.data() + position_, sizeof number);
  position_ += sizeof number;
  return number;
}

// How many things follow. Each of them takes a byte at least.
Result<std::uint64_t> Message::take_count() {
  const std::uint64_t count = TRY(take_number());
  if (count > bytes_.size() - position_) return too_short();
  return count;
}

Result<std::string_view> Message::take_text() {
  const std::uint64_t size = TRY(take_count());
  const std::string_view text(bytes_.data() + position_, size);
  position_ += size;
  return text;
}

Result<Shape> Message::take_shape() {
  const std::uint64_t rank = TRY(take_number());
  Shape shape;
  for (std::uint64_t axis = 0; axis < rank; ++axis) {
    const auto size = static_cast<std::int64_t>(TRY(take_number()));
    if (!shape.push_back(size)) return impossible("shape");
  }
  return shape;
}

Result<std::vector<TensorSpec>> Message::take_specs() {
  const std::uint64_t count = TRY(take_count());
  std::vector<TensorSpec> specs(count);
  for (TensorSpec& spec : specs) {
    spec.name = TRY(take_text());
    const std::uint64_t datatype = TRY(take_number());
    spec.datatype = TRY(to_enumeration(datatype, DataType::bytes, "datatype"));
    spec.shape = TRY(take_shape());
  }
  return specs;
}

Result<Signature> Message::take_signature() {
  Signature signature;
  signature.platform = TRY(take_text());
  signature.inputs = TRY(take_specs());
  signature.outputs = TRY(take_specs());
  const std::uint64_t task = TRY(take_number());
  signature.task = TRY(to_enumeration(task, Task::other, "task"));
  const std::uint64_t classes = TRY(take_count());
  for (std::uint64_t i = 0; i < classes; ++i) {
    signature.classes.emplace_back(TRY(take_text()));
  }
  const std::uint64_t features = TRY(take_count());
  for (std::uint64_t i = 0; i < features; ++i) {
    signature.features.push_back(TRY(take_feature(*this)));
  }
  signature.score = TRY(take_element(*this));
  signature.predicted = TRY(take_element(*this));
  signature.has_row_axis = TRY(take_number()) != 0;
  return signature;
}

Result<void> Message::take_tensors(std::vector<tensor::Tensor>& tensors) {
  const std::uint64_t count = TRY(take_count());
  tensors.resize(count);
  for (tensor::Tensor& tensor : tensors) {
    const std::uint64_t number = TRY(take_number());
    const DataType datatype = TRY(to_enumeration(number, DataType::bytes, "datatype"));
    const Shape shape = TRY(take_shape());
    const std::string_view bytes = TRY(take_text());
    protocol::InputTensor read;
    std::swap(read.tensor, tensor);
    const auto filled = protocol::fill_from_binary(bytes, datatype, shape, read);
    std::swap(read.tensor, tensor);
    if (!filled) return fail(Code::corrupt, "a tensor is damaged: {}", filled.error().message);
  }
  return {};
}

Result<Error> Message::take_error() {
  const std::uint64_t code = TRY(take_number());
  Error error{};
  error.code = TRY(to_enumeration(code, Code::internal, "error"));
  error.message = TRY(take_text());
  return error;
}

}  // namespace weir::model
