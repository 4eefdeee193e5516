#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/onnx_library.h"
#include "tensor/tensor.h"

struct OrtStatus;
struct OrtValue;
struct OrtTypeInfo;

// Between the values of ONNX Runtime and tensors of ours.

namespace weir::model {

// The first line of what the library says, without the places in its source.
std::string first_line(std::string_view message);

// Takes the status over; nothing when it is good.
Result<void> check(const OrtApi& api, OrtStatus* status);

// Owns a value of the library.
struct ValueDeleter {
  const OrtApi* api = nullptr;
  void operator()(OrtValue* value) const;
};
using Value = std::unique_ptr<OrtValue, ValueDeleter>;

// How a value of the library becomes a tensor.
enum class ValueKind : std::uint8_t {
  plain,    // A tensor of numbers.
  strings,  // A tensor of strings.
  map,      // One map from class to number: a tensor [1, classes].
  maps,     // A sequence of them, one per row, as ZipMap makes it: a tensor [rows, classes].
};

// The type of an input or output as the model declares it.
struct DeclaredType {
  ValueKind kind = ValueKind::plain;
  tensor::DataType datatype = tensor::DataType::fp32;
  tensor::Shape shape;  // -1 where variable.
};
// The error says what kind of value it is that cannot be carried.
Result<DeclaredType> read_type(const OrtApi& api, const OrtTypeInfo& type);

// The number by which the library knows a datatype (an ONNXTensorElementDataType).
int to_element_type(tensor::DataType datatype);

// A value over memory of the caller, which has to stay. Numbers only.
Result<Value> wrap(
    const OnnxLibrary& library,
    std::byte* data,
    std::size_t size_bytes,
    tensor::DataType datatype,
    const tensor::Shape& shape
);
// A value over the elements of a tensor; strings are copied.
Result<Value> to_value(const OnnxLibrary& library, tensor::Tensor& from);

// Copies a value of the declared kind and datatype into a tensor; the shape is the value's own.
// `classes`, where wanted, receives the keys of a map.
Result<void> to_tensor(
    const OnnxLibrary& library,
    const OrtValue& value,
    const DeclaredType& declared,
    tensor::Tensor& to,
    std::vector<std::string>* classes = nullptr
);

}  // namespace weir::model
