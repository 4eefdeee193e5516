#include "table/columns_packet.h"

#include <span>
#include <string_view>

namespace weir::table {
namespace {

template <class T>
std::string_view as_text(std::span<const T> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace

void put_specs(Packet& packet, const tensor::ColumnSpecs& specs) {
  packet.put(static_cast<std::uint64_t>(specs.size()));
  for (const tensor::ColumnSpec& spec : specs) {
    packet.put(spec.name);
    packet.put(tensor::to_string(spec.datatype));
    packet.put(std::uint64_t{spec.is_list});
  }
}

Result<tensor::ColumnSpecs> take_specs(Packet& packet) {
  tensor::ColumnSpecs specs;
  const std::uint64_t count = TRY(packet.take_number());
  for (std::uint64_t i = 0; i < count; ++i) {
    tensor::ColumnSpec spec;
    spec.name = TRY(packet.take_text());
    const auto datatype = tensor::parse_datatype(TRY(packet.take_view()));
    if (!datatype) return fail(Code::corrupt, "column '{}' has no datatype", spec.name);
    spec.datatype = *datatype;
    spec.is_list = TRY(packet.take_number()) != 0;
    specs.push_back(std::move(spec));
  }
  return specs;
}

void put_columns(Packet& packet, const tensor::Columns& columns) {
  packet.reserve(columns.size_bytes() + columns.width() * 64 + 64);
  packet.put(static_cast<std::uint64_t>(columns.rows()));
  for (std::size_t i = 0; i < columns.width(); ++i) {
    const tensor::Column& column = columns[i];
    packet.put(as_text(column.bytes()));
    packet.put(as_text(column.ends()));
    packet.put(as_text(column.validity()));
  }
}

Result<void> take_columns(Packet& packet, tensor::Columns& columns) {
  const std::uint64_t rows = TRY(packet.take_number());
  for (std::size_t i = 0; i < columns.width(); ++i) {
    const std::string_view bytes = TRY(packet.take_view());
    const std::string_view ends = TRY(packet.take_view());
    const std::string_view validity = TRY(packet.take_view());
    TRY(columns[i].assign(rows, as_bytes(bytes), as_bytes(ends), as_bytes(validity)));
  }
  return {};
}

}  // namespace weir::table
