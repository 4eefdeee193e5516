#include "model/onnx_values.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <span>

#include <onnxruntime_c_api.h>

#include "base/check.h"

namespace weir::model {
namespace {

using tensor::DataType;
using tensor::Shape;
using tensor::Tensor;

struct ElementType {
  ONNXTensorElementDataType onnx;
  DataType ours;
};

constexpr std::array<ElementType, 14> element_types = {{
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL, DataType::boolean},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8, DataType::uint8},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16, DataType::uint16},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT32, DataType::uint32},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64, DataType::uint64},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8, DataType::int8},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16, DataType::int16},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32, DataType::int32},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64, DataType::int64},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16, DataType::fp16},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16, DataType::bf16},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, DataType::fp32},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE, DataType::fp64},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING, DataType::bytes},
}};

std::optional<DataType> from_element_type(ONNXTensorElementDataType type) {
  for (const ElementType& element : element_types) {
    if (element.onnx == type) return element.ours;
  }
  return std::nullopt;
}

// Owns what the library hands out as information on a type.
template <class T>
using Owner = std::unique_ptr<T, void (*)(T*)>;

Result<DeclaredType> read_tensor_info(const OrtApi& api, const OrtTensorTypeAndShapeInfo& info) {
  ONNXTensorElementDataType element = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  TRY(check(api, api.GetTensorElementType(&info, &element)));
  const auto datatype = from_element_type(element);
  if (!datatype) {
    return fail(
        Code::invalid_argument,
        "elements of ONNX type {}, which the V2 protocol does not have",
        static_cast<int>(element)
    );
  }
  std::size_t rank = 0;
  TRY(check(api, api.GetDimensionsCount(&info, &rank)));
  if (rank > Shape::max_rank) {
    return fail(Code::invalid_argument, "{} dimensions; {} are allowed", rank, Shape::max_rank);
  }
  std::array<std::int64_t, Shape::max_rank> dimensions{};
  TRY(check(api, api.GetDimensions(&info, dimensions.data(), rank)));
  DeclaredType declared;
  declared.datatype = *datatype;
  declared.kind = *datatype == DataType::bytes ? ValueKind::strings : ValueKind::plain;
  for (std::size_t axis = 0; axis < rank; ++axis) {
    declared.shape.push_back(std::max<std::int64_t>(dimensions[axis], -1));
  }
  return declared;
}

Result<DeclaredType> read_map_info(const OrtApi& api, const OrtTypeInfo& type, ValueKind kind) {
  const OrtMapTypeInfo* map = nullptr;  // Belongs to the type.
  TRY(check(api, api.CastTypeInfoToMapTypeInfo(&type, &map)));
  CHECK(map != nullptr, "the type said that it is a map");
  OrtTypeInfo* raw = nullptr;
  TRY(check(api, api.GetMapValueType(map, &raw)));
  const Owner<OrtTypeInfo> value_type(raw, api.ReleaseTypeInfo);
  DeclaredType declared = TRY(read_type(api, *value_type));
  if (declared.kind != ValueKind::plain) {
    return fail(Code::invalid_argument, "a map whose values are not numbers");
  }
  declared.kind = kind;
  declared.shape = Shape{kind == ValueKind::map ? 1 : -1, -1};
  return declared;
}

// The shape of a tensor value.
Result<Shape> shape_of(const OrtApi& api, const OrtValue& value, DataType datatype) {
  OrtTensorTypeAndShapeInfo* raw = nullptr;
  TRY(check(api, api.GetTensorTypeAndShape(&value, &raw)));
  const Owner<OrtTensorTypeAndShapeInfo> info(raw, api.ReleaseTensorTypeAndShapeInfo);
  const DeclaredType actual = TRY(read_tensor_info(api, *info));
  if (actual.datatype != datatype) {
    return fail(
        Code::internal,
        "the model declares an output of {} and gives {}",
        tensor::to_string(datatype),
        tensor::to_string(actual.datatype)
    );
  }
  return actual.shape;
}

Result<void> copy_strings(const OrtApi& api, const OrtValue& value, Tensor& to) {
  std::size_t total = 0;
  TRY(check(api, api.GetStringTensorDataLength(&value, &total)));
  std::string bytes(total, '\0');
  std::vector<std::size_t> begins(to.size());
  TRY(check(
      api, api.GetStringTensorContent(&value, bytes.data(), total, begins.data(), begins.size())
  ));
  for (std::size_t i = 0; i < begins.size(); ++i) {
    const std::size_t end = i + 1 < begins.size() ? begins[i + 1] : total;
    to.add_string(std::string_view(bytes).substr(begins[i], end - begins[i]));
  }
  return {};
}

Result<void> copy_elements(const OrtApi& api, const OrtValue& value, std::span<std::byte> to) {
  if (to.empty()) return {};
  void* data = nullptr;
  TRY(check(api, api.GetTensorMutableData(const_cast<OrtValue*>(&value), &data)));
  std::memcpy(to.data(), data, to.size());
  return {};
}

// Element `index` of a sequence or a map: a map's are its keys and its values.
Result<Value> element_of(const OrtApi& api, const OrtValue& value, std::size_t index) {
  OrtAllocator* allocator = nullptr;  // The library's own.
  TRY(check(api, api.GetAllocatorWithDefaultOptions(&allocator)));
  OrtValue* element = nullptr;
  TRY(check(api, api.GetValue(&value, static_cast<int>(index), allocator, &element)));
  return Value(element, ValueDeleter{&api});
}

Result<std::size_t> elements_of(const OrtApi& api, const OrtValue& tensor) {
  OrtTensorTypeAndShapeInfo* raw = nullptr;
  TRY(check(api, api.GetTensorTypeAndShape(&tensor, &raw)));
  const Owner<OrtTensorTypeAndShapeInfo> info(raw, api.ReleaseTensorTypeAndShapeInfo);
  std::size_t count = 0;
  TRY(check(api, api.GetTensorShapeElementCount(info.get(), &count)));
  return count;
}

Result<std::vector<std::string>> read_keys(const OnnxLibrary& library, const OrtValue& map) {
  const Value keys = TRY(element_of(*library.api, map, 0));
  OrtTypeInfo* raw = nullptr;
  TRY(check(*library.api, library.api->GetTypeInfo(keys.get(), &raw)));
  const Owner<OrtTypeInfo> type(raw, library.api->ReleaseTypeInfo);
  const DeclaredType declared = TRY(read_type(*library.api, *type));
  Tensor tensor;
  TRY(to_tensor(library, *keys, declared, tensor));
  std::vector<std::string> names;
  for (std::size_t i = 0; i < tensor.size(); ++i) {
    if (declared.kind == ValueKind::strings) {
      names.emplace_back(tensor.string(i));
    } else if (declared.datatype == DataType::int64) {
      names.push_back(fmt::format("{}", tensor.values<std::int64_t>()[i]));
    } else {
      names.push_back(fmt::format("{}", tensor::to_double(tensor, i)));
    }
  }
  return names;
}

// Writes the values of one map into row `row` of a tensor that the first row gives its width.
Result<void> copy_map(
    const OnnxLibrary& library, const OrtValue& map, std::size_t row, std::size_t rows, Tensor& to
) {
  const OrtApi& api = *library.api;
  const Value values = TRY(element_of(api, map, 1));
  const std::size_t width = TRY(elements_of(api, *values));
  if (row == 0) {
    to.reset(to.datatype(), {static_cast<std::int64_t>(rows), static_cast<std::int64_t>(width)});
  }
  const std::size_t row_bytes = to.raw().size() / rows;
  if (width * tensor::element_size(to.datatype()) != row_bytes) {
    return fail(
        Code::internal, "the model's map has {} classes in row {}, other than before", width, row
    );
  }
  return copy_elements(api, *values, to.raw().subspan(row * row_bytes, row_bytes));
}

Result<void> copy_maps(
    const OnnxLibrary& library,
    const OrtValue& value,
    const DeclaredType& declared,
    Tensor& to,
    std::vector<std::string>* classes
) {
  to.reset(declared.datatype, {0, 0});
  if (declared.kind == ValueKind::map) {
    if (classes != nullptr) *classes = TRY(read_keys(library, value));
    return copy_map(library, value, 0, 1, to);
  }
  std::size_t rows = 0;
  TRY(check(*library.api, library.api->GetValueCount(&value, &rows)));
  for (std::size_t row = 0; row < rows; ++row) {
    const Value map = TRY(element_of(*library.api, value, row));
    if (row == 0 && classes != nullptr) *classes = TRY(read_keys(library, *map));
    TRY(copy_map(library, *map, row, rows, to));
  }
  return {};
}

// Drops "/path/of/the/library/file.h:46 type function(arguments) " from the middle of a message.
void drop_source_place(std::string& message) {
  const std::size_t begin = message.find("/onnxruntime");
  if (begin == std::string::npos) return;
  const std::size_t line = message.find_first_of(": ", begin);
  if (line == std::string::npos || message[line] != ':') return;
  const std::size_t open = message.find('(', line);
  if (open == std::string::npos) return;
  std::size_t end = open;
  int depth = 0;
  for (; end < message.size(); ++end) {
    if (message[end] == '(') ++depth;
    if (message[end] == ')' && --depth == 0) break;
  }
  end = message.find_first_not_of(") ", end);
  if (end == std::string::npos) return;
  if (message.compare(end, 6, "[with ") == 0) {
    const std::size_t close = message.find("] ", end);
    if (close == std::string::npos) return;
    end = close + 2;
  }
  message.erase(begin, end - begin);
}

}  // namespace

std::string first_line(std::string_view message) {
  std::string line(message.substr(0, message.find_first_of("\r\n")));
  drop_source_place(line);
  while (!line.empty() && (line.back() == ' ' || line.back() == '.')) line.pop_back();
  return line;
}

Result<void> check(const OrtApi& api, OrtStatus* status) {
  if (status == nullptr) [[likely]]
    return {};
  const Owner<OrtStatus> owner(status, api.ReleaseStatus);
  const OrtErrorCode code = api.GetErrorCode(status);
  return fail(
      code == ORT_INVALID_ARGUMENT ? Code::invalid_argument : Code::internal,
      "{}",
      first_line(api.GetErrorMessage(status))
  );
}

void ValueDeleter::operator()(OrtValue* value) const {
  api->ReleaseValue(value);
}

Result<DeclaredType> read_type(const OrtApi& api, const OrtTypeInfo& type) {
  ONNXType kind = ONNX_TYPE_UNKNOWN;
  TRY(check(api, api.GetOnnxTypeFromTypeInfo(&type, &kind)));
  switch (kind) {
    case ONNX_TYPE_TENSOR: {
      const OrtTensorTypeAndShapeInfo* info = nullptr;  // Belongs to the type.
      TRY(check(api, api.CastTypeInfoToTensorInfo(&type, &info)));
      CHECK(info != nullptr, "the type said that it is a tensor");
      return read_tensor_info(api, *info);
    }
    case ONNX_TYPE_MAP:
      return read_map_info(api, type, ValueKind::map);
    case ONNX_TYPE_SEQUENCE: {
      const OrtSequenceTypeInfo* sequence = nullptr;  // Belongs to the type.
      TRY(check(api, api.CastTypeInfoToSequenceTypeInfo(&type, &sequence)));
      CHECK(sequence != nullptr, "the type said that it is a sequence");
      OrtTypeInfo* raw = nullptr;
      TRY(check(api, api.GetSequenceElementType(sequence, &raw)));
      const Owner<OrtTypeInfo> element(raw, api.ReleaseTypeInfo);
      ONNXType element_kind = ONNX_TYPE_UNKNOWN;
      TRY(check(api, api.GetOnnxTypeFromTypeInfo(element.get(), &element_kind)));
      if (element_kind == ONNX_TYPE_MAP) return read_map_info(api, *element, ValueKind::maps);
      return fail(Code::invalid_argument, "a sequence of tensors");
    }
    case ONNX_TYPE_SPARSETENSOR:
      return fail(Code::invalid_argument, "a sparse tensor");
    case ONNX_TYPE_OPTIONAL:
      return fail(Code::invalid_argument, "an optional value");
    default:
      return fail(Code::invalid_argument, "a value of an opaque type");
  }
}

int to_element_type(DataType datatype) {
  for (const ElementType& element : element_types) {
    if (element.ours == datatype) return element.onnx;
  }
  return ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
}

Result<Value> wrap(
    const OnnxLibrary& library,
    std::byte* data,
    std::size_t size_bytes,
    DataType datatype,
    const Shape& shape
) {
  static std::byte nothing{};  // The library wants an address also where there are no elements.
  OrtValue* value = nullptr;
  TRY(check(
      *library.api,
      library.api->CreateTensorWithDataAsOrtValue(
          library.memory,
          data != nullptr ? data : &nothing,
          size_bytes,
          shape.dimensions().data(),
          shape.rank(),
          static_cast<ONNXTensorElementDataType>(to_element_type(datatype)),
          &value
      )
  ));
  return Value(value, ValueDeleter{library.api});
}

Result<Value> to_value(const OnnxLibrary& library, Tensor& from) {
  const OrtApi& api = *library.api;
  if (from.datatype() != DataType::bytes) {
    return wrap(library, from.raw().data(), from.raw().size(), from.datatype(), from.shape());
  }
  OrtAllocator* allocator = nullptr;  // The library's own.
  TRY(check(api, api.GetAllocatorWithDefaultOptions(&allocator)));
  OrtValue* raw = nullptr;
  TRY(check(
      api,
      api.CreateTensorAsOrtValue(
          allocator,
          from.shape().dimensions().data(),
          from.shape().rank(),
          ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING,
          &raw
      )
  ));
  Value value(raw, ValueDeleter{&api});
  CHECK(from.strings_added() == from.size(), "a tensor of strings is filled before it is used");
  for (std::size_t i = 0; i < from.size(); ++i) {
    const std::string_view text = from.string(i);
    char* room = nullptr;
    TRY(check(api, api.GetResizedStringTensorElementBuffer(value.get(), i, text.size(), &room)));
    text.copy(room, text.size());
  }
  return value;
}

Result<void> to_tensor(
    const OnnxLibrary& library,
    const OrtValue& value,
    const DeclaredType& declared,
    Tensor& to,
    std::vector<std::string>* classes
) {
  const OrtApi& api = *library.api;
  if (declared.kind == ValueKind::map || declared.kind == ValueKind::maps) {
    return copy_maps(library, value, declared, to, classes);
  }
  const Shape shape = TRY(shape_of(api, value, declared.datatype));
  to.reset(declared.datatype, shape);
  if (declared.kind == ValueKind::strings) return copy_strings(api, value, to);
  return copy_elements(api, value, to.raw());
}

}  // namespace weir::model
