#include "ledger/format.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/hash.h"

namespace weir::ledger {
namespace {

constexpr std::string_view segment_magic = "WEIRSEG\n";
constexpr std::uint32_t block_magic = 0x4b4c4257;

template <class T>
void put(Bytes& out, T value) {
  const auto* begin = reinterpret_cast<const std::byte*>(&value);
  out.insert(out.end(), begin, begin + sizeof(T));
}

void put_bytes(Bytes& out, std::span<const std::byte> bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void put_text(Bytes& out, std::string_view text) {
  put_bytes(out, std::as_bytes(std::span(text)));
}

template <class T>
T load(std::span<const std::byte> bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}

// Takes parts off the front of some bytes; after a part that is not there, it is broken and gives
// zeros.
class Cursor {
 public:
  explicit Cursor(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::span<const std::byte> take_bytes(std::size_t size) {
    if (size > bytes_.size()) {
      is_broken_ = true;
      bytes_ = {};
      return {};
    }
    const auto taken = bytes_.first(size);
    bytes_ = bytes_.subspan(size);
    return taken;
  }
  template <class T>
  T take() {
    const auto taken = take_bytes(sizeof(T));
    return taken.empty() ? T{} : load<T>(taken, 0);
  }
  std::string take_text(std::size_t size) {
    const auto taken = take_bytes(size);
    return {reinterpret_cast<const char*>(taken.data()), taken.size()};
  }
  bool is_broken() const { return is_broken_; }
  std::size_t left() const { return bytes_.size(); }

 private:
  std::span<const std::byte> bytes_;
  bool is_broken_ = false;
};

// Reserves the header; the payload is appended by the caller; finish_block fills the header in.
std::size_t begin_block(Bytes& out) {
  const std::size_t start = out.size();
  out.resize(start + block_header_bytes);
  return start;
}

void finish_block(BlockHeader& header, std::size_t start, std::uint64_t identity, Bytes& out) {
  const std::size_t payload_start = start + block_header_bytes;
  const std::size_t payload_bytes = out.size() - payload_start;
  CHECK(payload_bytes <= max_block_bytes * 2, "callers keep blocks within the limit");
  header.payload_bytes = static_cast<std::uint32_t>(payload_bytes);
  header.payload_checksum =
      hash64(std::span<const std::byte>(out).subspan(payload_start), identity);
  out.resize(payload_start + header.padded_payload_bytes());

  Bytes bytes;
  bytes.reserve(block_header_bytes);
  put(bytes, block_magic);
  put(bytes, header.type);
  put(bytes, std::uint8_t{0});
  put(bytes, header.schema);
  put(bytes, header.rows);
  put(bytes, header.payload_bytes);
  put(bytes, header.min_time);
  put(bytes, header.max_time);
  put(bytes, header.min_recorded_at);
  put(bytes, header.max_recorded_at);
  put(bytes, std::uint64_t{0});
  put(bytes, header.payload_checksum);
  put(bytes, hash64(std::span<const std::byte>(bytes), identity));
  std::copy(bytes.begin(), bytes.end(), out.begin() + static_cast<std::ptrdiff_t>(start));
}

bool is_variable(const tensor::ColumnSpec& spec) {
  return spec.is_list || spec.datatype == tensor::DataType::bytes;
}

// Whether all values have the same bytes. Comparing the data with itself, one value further on,
// stops at the first difference.
bool is_constant(const tensor::Column& column) {
  const std::size_t rows = column.rows();
  if (rows < 2 || column.has_nulls()) return false;
  const auto data = column.bytes();
  const std::size_t size = data.size() / rows;
  if (size * rows != data.size()) return false;
  if (is_variable(column.spec())) {
    const auto ends = column.ends();
    for (std::size_t row = 0; row < rows; ++row) {
      if (ends[row] != (row + 1) * size) return false;
    }
  }
  return data.empty() || std::memcmp(data.data(), data.data() + size, data.size() - size) == 0;
}

void encode_column(const tensor::Column& column, Bytes& out) {
  const std::size_t rows = column.rows();
  using Encoding = ColumnChunk::Encoding;
  const auto put_head = [&](Encoding encoding, bool has_validity, std::size_t data_bytes) {
    put(out, encoding);
    put(out, static_cast<std::uint8_t>(has_validity ? 1 : 0));
    put(out, std::uint16_t{0});
    put(out, static_cast<std::uint32_t>(data_bytes));
  };
  const auto validity = column.validity();
  if (column.has_nulls() &&
      std::all_of(validity.begin(), validity.end(), [](std::uint8_t byte) { return byte == 0; })) {
    put_head(Encoding::null, false, 0);
    return;
  }
  if (is_constant(column)) {
    const auto value = column.bytes().first(column.bytes().size() / rows);
    put_head(Encoding::constant, false, value.size());
    put_bytes(out, value);
    return;
  }
  put_head(Encoding::plain, column.has_nulls(), column.bytes().size());
  if (column.has_nulls()) put_bytes(out, std::as_bytes(validity));
  if (is_variable(column.spec())) put_bytes(out, std::as_bytes(column.ends()));
  put_bytes(out, column.bytes());
}

// The smallest and largest value of an INT64 column; zeros when there is no such column.
std::pair<std::int64_t, std::int64_t> range_of_column(
    const tensor::Columns& columns, std::string_view name
) {
  for (std::size_t i = 0; i < columns.width(); ++i) {
    const tensor::ColumnSpec& spec = columns[i].spec();
    if (spec.name != name) continue;
    if (spec.datatype != tensor::DataType::int64 || spec.is_list || columns.rows() == 0) break;
    const auto values = columns[i].values<std::int64_t>();
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    return {*low, *high};
  }
  return {0, 0};
}

bool are_ends_valid(std::span<const std::byte> ends, std::size_t data_bytes, std::size_t element) {
  std::uint32_t last = 0;
  for (std::size_t at = 0; at < ends.size(); at += sizeof(std::uint32_t)) {
    const auto end = load<std::uint32_t>(ends, at);
    if (end < last || end > data_bytes || (element > 1 && end % element != 0)) return false;
    last = end;
  }
  return last == data_bytes;
}

// Takes one column off the payload; `budget` is what is left of max_block_bytes.
Result<ColumnChunk> decode_column(
    Cursor& cursor, std::uint32_t rows, const tensor::ColumnSpec& spec, std::size_t& budget
) {
  using Encoding = ColumnChunk::Encoding;
  const auto damaged = [&] {
    return fail(Code::corrupt, "the block's column '{}' does not hold {} rows", spec.name, rows);
  };
  const auto encoding = cursor.take<std::uint8_t>();
  const bool has_validity = cursor.take<std::uint8_t>() != 0;
  cursor.take<std::uint16_t>();
  const std::size_t data_bytes = cursor.take<std::uint32_t>();
  if (encoding > 2 || (has_validity && encoding != 0)) return damaged();
  ColumnChunk chunk;
  chunk.encoding = static_cast<Encoding>(encoding);
  const bool variable = is_variable(spec);
  const std::size_t element =
      spec.datatype == tensor::DataType::bytes ? 1 : tensor::element_size(spec.datatype);
  if (chunk.encoding == Encoding::plain) {
    if (has_validity) chunk.validity = cursor.take_bytes((rows + 7) / 8);
    if (variable) chunk.ends = cursor.take_bytes(std::size_t{rows} * sizeof(std::uint32_t));
  }
  chunk.data = cursor.take_bytes(data_bytes);
  if (cursor.is_broken()) return damaged();

  // What the rows take once they are columns again, which is what the limit is about.
  std::size_t decoded = variable ? std::size_t{rows} * sizeof(std::uint32_t) : element * rows;
  if (variable && chunk.encoding == Encoding::plain) decoded += data_bytes;
  if (chunk.encoding == Encoding::null && data_bytes != 0) return damaged();
  if (chunk.encoding == Encoding::constant) {
    if (variable ? data_bytes % element != 0 : data_bytes != element) return damaged();
    if (variable) decoded += data_bytes * rows;
  }
  if (chunk.encoding == Encoding::plain) {
    if (variable ? !are_ends_valid(chunk.ends, data_bytes, element)
                 : data_bytes != element * rows) {
      return damaged();
    }
  }
  if (decoded > budget) return damaged();
  budget -= decoded;
  return chunk;
}

}  // namespace

void RowRange::add(const RowRange& other) {
  if (other.rows == 0) return;
  if (rows == 0) {
    *this = other;
    return;
  }
  rows += other.rows;
  min_time = std::min(min_time, other.min_time);
  max_time = std::max(max_time, other.max_time);
  min_recorded_at = std::min(min_recorded_at, other.min_recorded_at);
  max_recorded_at = std::max(max_recorded_at, other.max_recorded_at);
}

RowRange range_of(const BlockHeader& header) {
  return {
      header.rows,
      header.min_time,
      header.max_time,
      header.min_recorded_at,
      header.max_recorded_at};
}

void encode_segment_header(const SegmentHeader& header, Bytes& out) {
  const std::size_t start = out.size();
  put_text(out, segment_magic);
  put(out, segment_format);
  put(out, header.kind);
  put(out, std::uint32_t{0});
  put(out, header.identity);
  put(out, hash64(std::span<const std::byte>(out).subspan(start)));
}

Result<SegmentHeader> decode_segment_header(std::span<const std::byte> bytes) {
  if (bytes.size() < segment_header_bytes ||
      std::memcmp(bytes.data(), segment_magic.data(), segment_magic.size()) != 0 ||
      load<std::uint64_t>(bytes, 24) != hash64(bytes.first(24))) {
    return fail(Code::corrupt, "it does not begin with the header of a segment");
  }
  if (const auto format = load<std::uint16_t>(bytes, 8); format != segment_format) {
    return fail(
        Code::invalid_argument,
        "it is a segment of format {}, this program reads {}",
        format,
        segment_format
    );
  }
  const auto kind = load<std::uint16_t>(bytes, 10);
  if (kind > 1) return fail(Code::corrupt, "it is a segment of unknown kind {}", kind);
  return SegmentHeader{static_cast<SegmentKind>(kind), load<std::uint64_t>(bytes, 16)};
}

std::optional<BlockHeader> decode_block_header(
    std::span<const std::byte> bytes, std::uint64_t identity
) {
  if (bytes.size() < block_header_bytes || load<std::uint32_t>(bytes, 0) != block_magic ||
      load<std::uint64_t>(bytes, 64) != hash64(bytes.first(64), identity)) {
    return std::nullopt;
  }
  const auto type = load<std::uint8_t>(bytes, 4);
  if (type < 1 || type > 3 || load<std::uint8_t>(bytes, 5) != 0) return std::nullopt;
  BlockHeader header{
      .type = static_cast<BlockType>(type),
      .schema = load<std::uint16_t>(bytes, 6),
      .rows = load<std::uint32_t>(bytes, 8),
      .payload_bytes = load<std::uint32_t>(bytes, 12),
      .min_time = load<std::int64_t>(bytes, 16),
      .max_time = load<std::int64_t>(bytes, 24),
      .min_recorded_at = load<std::int64_t>(bytes, 32),
      .max_recorded_at = load<std::int64_t>(bytes, 40),
      .payload_checksum = load<std::uint64_t>(bytes, 56)};
  if (header.rows > max_block_rows || header.payload_bytes > max_block_bytes * 2) {
    return std::nullopt;
  }
  return header;
}

void encode_schema_block(
    const Schema& schema, std::uint16_t number, std::uint64_t identity, Bytes& out
) {
  const std::size_t start = begin_block(out);
  put(out, static_cast<std::uint32_t>(schema.endpoint.size()));
  put_text(out, schema.endpoint);
  put(out, static_cast<std::uint32_t>(schema.specs->size()));
  for (const tensor::ColumnSpec& spec : *schema.specs) {
    const std::string_view name = std::string_view(spec.name).substr(0, 65'535);
    put(out, spec.datatype);
    put(out, static_cast<std::uint8_t>(spec.is_list ? 1 : 0));
    put(out, static_cast<std::uint16_t>(name.size()));
    put_text(out, name);
  }
  BlockHeader header{.type = BlockType::schema, .schema = number};
  finish_block(header, start, identity, out);
}

BlockHeader encode_rows_block(
    const tensor::Columns& columns, std::uint16_t schema, std::uint64_t identity, Bytes& out
) {
  const std::size_t start = begin_block(out);
  for (std::size_t i = 0; i < columns.width(); ++i) encode_column(columns[i], out);
  BlockHeader header{
      .type = BlockType::rows,
      .schema = schema,
      .rows = static_cast<std::uint32_t>(columns.rows())};
  std::tie(header.min_time, header.max_time) = range_of_column(columns, "time");
  std::tie(header.min_recorded_at, header.max_recorded_at) =
      range_of_column(columns, "recorded_at");
  finish_block(header, start, identity, out);
  return header;
}

void encode_footer_block(
    const Summary& summary, std::uint64_t offset, std::uint64_t identity, Bytes& out
) {
  const std::size_t start = begin_block(out);
  put(out, static_cast<std::uint32_t>(summary.size()));
  for (const auto& [endpoint, range] : summary) {
    put(out, static_cast<std::uint32_t>(endpoint.size()));
    put_text(out, endpoint);
    put(out, range.rows);
    put(out, range.min_time);
    put(out, range.max_time);
    put(out, range.min_recorded_at);
    put(out, range.max_recorded_at);
  }
  out.resize(start + (out.size() - start + 7) / 8 * 8);
  put(out, offset);
  BlockHeader header{.type = BlockType::footer};
  finish_block(header, start, identity, out);
}

Result<Schema> decode_schema(std::span<const std::byte> payload) {
  Cursor cursor(payload);
  Schema schema;
  schema.endpoint = cursor.take_text(cursor.take<std::uint32_t>());
  const auto count = cursor.take<std::uint32_t>();
  tensor::ColumnSpecs specs;
  for (std::uint32_t i = 0; i < count && !cursor.is_broken(); ++i) {
    const auto datatype = cursor.take<std::uint8_t>();
    const auto is_list = cursor.take<std::uint8_t>();
    std::string name = cursor.take_text(cursor.take<std::uint16_t>());
    const auto type = static_cast<tensor::DataType>(datatype);
    if (type > tensor::DataType::bytes || is_list > 1 ||
        (is_list == 1 && type == tensor::DataType::bytes)) {
      return fail(Code::corrupt, "the column '{}' has an unknown type {}", name, datatype);
    }
    specs.push_back({std::move(name), type, is_list == 1});
  }
  if (cursor.is_broken()) return fail(Code::corrupt, "the schema block is too short");
  schema.specs = std::make_shared<const tensor::ColumnSpecs>(std::move(specs));
  return schema;
}

Result<Summary> decode_footer(std::span<const std::byte> payload) {
  Cursor cursor(payload);
  Summary summary;
  const auto count = cursor.take<std::uint32_t>();
  for (std::uint32_t i = 0; i < count && !cursor.is_broken(); ++i) {
    std::string endpoint = cursor.take_text(cursor.take<std::uint32_t>());
    RowRange range;
    range.rows = cursor.take<std::uint64_t>();
    range.min_time = cursor.take<std::int64_t>();
    range.max_time = cursor.take<std::int64_t>();
    range.min_recorded_at = cursor.take<std::int64_t>();
    range.max_recorded_at = cursor.take<std::int64_t>();
    summary[std::move(endpoint)] = range;
  }
  if (cursor.is_broken()) return fail(Code::corrupt, "the footer block is too short");
  return summary;
}

std::uint64_t decode_footer_offset(std::span<const std::byte> last_bytes) {
  return load<std::uint64_t>(last_bytes, 0);
}

bool ColumnChunk::is_null(std::size_t row) const {
  if (encoding == Encoding::null) return true;
  if (validity.empty()) return false;
  return (std::to_integer<unsigned>(validity[row / 8]) >> (row % 8) & 1U) == 0;
}

std::span<const std::byte> ColumnChunk::value(std::size_t row, std::size_t size) const {
  if (encoding == Encoding::constant) return data;
  if (size != 0) return data.subspan(row * size, size);
  const std::size_t begin = row == 0 ? 0 : load<std::uint32_t>(ends, (row - 1) * 4);
  return data.subspan(begin, load<std::uint32_t>(ends, row * 4) - begin);
}

Result<std::vector<ColumnChunk>> decode_rows(
    std::span<const std::byte> payload, std::uint32_t rows, const tensor::ColumnSpecs& specs
) {
  Cursor cursor(payload);
  std::size_t budget = max_block_bytes;
  std::vector<ColumnChunk> chunks;
  chunks.reserve(specs.size());
  for (const tensor::ColumnSpec& spec : specs) {
    chunks.push_back(TRY(decode_column(cursor, rows, spec, budget)));
  }
  if (cursor.left() != 0) return fail(Code::corrupt, "the block is longer than its columns");
  return chunks;
}

}  // namespace weir::ledger
