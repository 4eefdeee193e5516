#include "protocol/v2_contents.h"

#include <array>
#include <bit>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "protocol/v2_binary.h"
#include "protocol/wire.h"

namespace weir::protocol {
namespace {

using tensor::DataType;
using tensor::Shape;
using tensor::Tensor;

// Numbers of the fields of InferTensorContents.
constexpr std::uint32_t field_bool = 1;
constexpr std::uint32_t field_int = 2;
constexpr std::uint32_t field_int64 = 3;
constexpr std::uint32_t field_uint = 4;
constexpr std::uint32_t field_uint64 = 5;
constexpr std::uint32_t field_fp32 = 6;
constexpr std::uint32_t field_fp64 = 7;
constexpr std::uint32_t field_bytes = 8;
constexpr std::array<std::string_view, 9> field_names = {
    "",
    "bool_contents",
    "int_contents",
    "int64_contents",
    "uint_contents",
    "uint64_contents",
    "fp32_contents",
    "fp64_contents",
    "bytes_contents"};

// 0: the datatype has no typed form.
std::uint32_t field_of(DataType datatype) {
  switch (datatype) {
    case DataType::boolean:
      return field_bool;
    case DataType::int8:
    case DataType::int16:
    case DataType::int32:
      return field_int;
    case DataType::int64:
      return field_int64;
    case DataType::uint8:
    case DataType::uint16:
    case DataType::uint32:
      return field_uint;
    case DataType::uint64:
      return field_uint64;
    case DataType::fp32:
      return field_fp32;
    case DataType::fp64:
      return field_fp64;
    case DataType::bytes:
      return field_bytes;
    case DataType::fp16:
    case DataType::bf16:
      break;
  }
  return 0;
}

WireForm form_of(std::uint32_t field) {
  if (field == field_fp32) return WireForm::fixed32;
  if (field == field_fp64) return WireForm::fixed64;
  return field == field_bytes ? WireForm::bytes : WireForm::varint;
}

// One element in the form of its field, as bits; reads in the same way with and without a tag.
std::uint64_t read_bits(WireReader& reader, WireForm form) {
  if (form == WireForm::fixed32) return reader.fixed<std::uint32_t>();
  if (form == WireForm::fixed64) return reader.fixed<std::uint64_t>();
  return reader.varint();
}

// Calls take_number(field, bits) and take_text(bytes) for every element in their order; false when
// the message is broken.
template <class TakeNumber, class TakeText>
bool visit_elements(std::string_view message, TakeNumber&& take_number, TakeText&& take_text) {
  WireReader reader(message);
  while (reader.next()) {
    const std::uint32_t field = reader.tag() >> 3;
    if (field < field_bool || field > field_bytes) {
      reader.skip();
      continue;
    }
    const WireForm form = form_of(field);
    const bool is_packed = reader.tag() == wire_tag(field, WireForm::bytes);
    if (form == WireForm::bytes && is_packed) {
      const std::string_view text = reader.bytes();
      if (!reader.has_failed()) take_text(text);
    } else if (is_packed) {
      WireReader run(reader.bytes());
      while (run.has_more()) {
        const std::uint64_t bits = read_bits(run, form);
        if (!run.has_failed()) take_number(field, bits);
      }
      if (run.has_failed()) return false;
    } else if (reader.tag() == wire_tag(field, form)) {
      const std::uint64_t bits = read_bits(reader, form);
      if (!reader.has_failed()) take_number(field, bits);
    } else {
      reader.skip();
    }
  }
  return !reader.has_failed();
}

// The element that the bits of its field stand for, if it is in the range of its datatype.
template <class T>
bool to_element(std::uint64_t bits, T& element) {
  if constexpr (std::is_same_v<T, bool>) {
    element = bits != 0;
  } else if constexpr (std::is_same_v<T, float>) {
    element = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
  } else if constexpr (std::is_same_v<T, double>) {
    element = std::bit_cast<double>(bits);
  } else if constexpr (sizeof(T) == sizeof(std::uint64_t)) {
    element = static_cast<T>(bits);
  } else if constexpr (std::is_signed_v<T>) {
    const auto number = static_cast<std::int32_t>(bits);  // An int32 on the wire.
    element = static_cast<T>(number);
    return element == number;
  } else {
    const auto number = static_cast<std::uint32_t>(bits);
    element = static_cast<T>(number);
    return element == number;
  }
  return true;
}

tl::unexpected<Error> broken(const InputTensor& input) {
  return fail(
      Code::invalid_argument,
      "input '{}': its 'contents' are not a readable InferTensorContents message",
      input.name
  );
}

Result<void> check_counts(
    const std::vector<std::string_view>& parts,
    DataType datatype,
    std::uint64_t wanted,
    const InputTensor& input
) {
  std::array<std::uint64_t, field_names.size()> counts{};
  for (const std::string_view part : parts) {
    const auto number = [&](std::uint32_t field, std::uint64_t) { ++counts[field]; };
    if (!visit_elements(part, number, [&](std::string_view) { ++counts[field_bytes]; })) {
      return broken(input);
    }
  }
  const std::uint32_t field = field_of(datatype);
  for (std::uint32_t other = field_bool; other <= field_bytes; ++other) {
    if (other == field || counts[other] == 0) continue;
    return fail(
        Code::invalid_argument,
        "input '{}': {} belongs into {}, but {} has {} elements",
        input.name,
        to_string(datatype),
        field_names[field],
        field_names[other],
        counts[other]
    );
  }
  if (counts[field] == wanted) return {};
  return fail(
      Code::invalid_argument,
      "input '{}': the shape has {} elements, but {} has {}",
      input.name,
      wanted,
      field_names[field],
      counts[field]
  );
}

}  // namespace

Result<void> fill_from_contents(
    const std::vector<std::string_view>& parts,
    DataType datatype,
    const Shape& shape,
    InputTensor& input
) {
  if (field_of(datatype) == 0) {
    return fail(
        Code::invalid_argument,
        "input '{}' is {}, which has no typed contents: send it in raw_input_contents",
        input.name,
        to_string(datatype)
    );
  }
  const auto count = static_cast<std::uint64_t>(shape.element_count().value_or(0));
  TRY(check_counts(parts, datatype, count, input));
  input.tensor.reset(datatype, shape);
  const auto no_number = [](std::uint32_t, std::uint64_t) {};
  if (datatype == DataType::bytes) {
    for (const std::string_view part : parts) {
      visit_elements(part, no_number, [&](std::string_view text) {
        input.tensor.add_string(text);
      });
    }
    return {};
  }
  bool is_in_range = true;
  tensor::visit(datatype, [&](auto kind) {
    using Element = decltype(kind);
    Element* next = input.tensor.values<Element>().data();
    for (const std::string_view part : parts) {
      const auto take = [&](std::uint32_t, std::uint64_t bits) {
        is_in_range &= to_element(bits, *next++);
      };
      visit_elements(part, take, [](std::string_view) {});
    }
  });
  if (!is_in_range) {
    return fail(
        Code::invalid_argument,
        "input '{}': an element is out of the range of {}",
        input.name,
        to_string(datatype)
    );
  }
  input.has_missing = has_missing(input.tensor);
  return {};
}

void append_contents(const Tensor& tensor, std::string& message) {
  WireWriter writer(message);
  const std::uint32_t field = field_of(tensor.datatype());
  if (tensor.datatype() == DataType::bytes) {
    for (std::size_t index = 0; index < tensor.strings_added(); ++index) {
      writer.bytes(field, tensor.string(index));
    }
    return;
  }
  if (tensor.size() == 0) return;
  tensor::visit(tensor.datatype(), [&](auto kind) {
    using Element = decltype(kind);
    if constexpr (std::is_floating_point_v<Element> || std::is_same_v<Element, bool>) {
      // The packed form of these is their bytes; of a boolean it is the byte 0 or 1.
      const auto raw = tensor.raw();
      writer.bytes(field, {reinterpret_cast<const char*>(raw.data()), raw.size()});
    } else {
      // Negative numbers are extended to 64 bits.
      using Wide = std::conditional_t<std::is_signed_v<Element>, std::int64_t, std::uint64_t>;
      const auto bits = [](Element value) { return static_cast<std::uint64_t>(Wide{value}); };
      std::uint64_t size = 0;
      for (const Element value : tensor.values<Element>()) size += varint_size(bits(value));
      writer.begin_bytes(field, size);
      for (const Element value : tensor.values<Element>()) writer.varint(bits(value));
    }
  });
}

}  // namespace weir::protocol
