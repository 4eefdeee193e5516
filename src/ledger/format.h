#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tensor/columns.h"

// The bytes of a segment: docs/ledger-format.md, section 2. Decoders take any bytes.

namespace weir::ledger {

inline constexpr std::uint16_t segment_format = 1;
inline constexpr std::size_t segment_header_bytes = 32;
inline constexpr std::size_t block_header_bytes = 72;
inline constexpr std::uint32_t max_block_rows = 1U << 20;
inline constexpr std::size_t max_block_bytes = 256U << 20;
inline constexpr std::size_t max_schemas = 65'535;

using Bytes = std::vector<std::byte>;

enum class SegmentKind : std::uint16_t { records, feedback };

struct SegmentHeader {
  SegmentKind kind = SegmentKind::records;
  std::uint64_t identity = 0;
};

enum class BlockType : std::uint8_t { schema = 1, rows = 2, footer = 3 };

struct BlockHeader {
  BlockType type = BlockType::rows;
  std::uint16_t schema = 0;
  std::uint32_t rows = 0;
  std::uint32_t payload_bytes = 0;
  std::int64_t min_time = 0;
  std::int64_t max_time = 0;
  std::int64_t min_recorded_at = 0;
  std::int64_t max_recorded_at = 0;
  std::uint64_t payload_checksum = 0;

  std::size_t padded_payload_bytes() const { return (std::size_t{payload_bytes} + 7) / 8 * 8; }
};

struct Schema {
  std::string endpoint;
  std::shared_ptr<const tensor::ColumnSpecs> specs;
};

// How many rows of an endpoint there are, and of when.
struct RowRange {
  std::uint64_t rows = 0;
  std::int64_t min_time = 0;
  std::int64_t max_time = 0;
  std::int64_t min_recorded_at = 0;
  std::int64_t max_recorded_at = 0;
  bool operator==(const RowRange&) const = default;
  void add(const RowRange& other);
};
RowRange range_of(const BlockHeader& header);
// By endpoint.
using Summary = std::map<std::string, RowRange, std::less<>>;

void encode_segment_header(const SegmentHeader& header, Bytes& out);
Result<SegmentHeader> decode_segment_header(std::span<const std::byte> bytes);

// Nothing when the bytes are not a valid block header of this segment.
std::optional<BlockHeader> decode_block_header(
    std::span<const std::byte> bytes, std::uint64_t identity
);

// Whole blocks: header, payload, padding. They are appended to `out`.
void encode_schema_block(
    const Schema& schema, std::uint16_t number, std::uint64_t identity, Bytes& out
);
// Requires: at most max_block_rows rows. Time columns are found by name; without one it counts as
// 0.
BlockHeader encode_rows_block(
    const tensor::Columns& columns, std::uint16_t schema, std::uint64_t identity, Bytes& out
);
void encode_footer_block(
    const Summary& summary, std::uint64_t offset, std::uint64_t identity, Bytes& out
);

Result<Schema> decode_schema(std::span<const std::byte> payload);
Result<Summary> decode_footer(std::span<const std::byte> payload);
// Where the footer block begins, from the last 8 bytes of the file.
std::uint64_t decode_footer_offset(std::span<const std::byte> last_bytes);

// One column of a rows block. It borrows from the payload.
struct ColumnChunk {
  enum class Encoding : std::uint8_t { plain, constant, null };
  Encoding encoding = Encoding::plain;
  std::span<const std::byte> validity;  // Empty: every row has a value.
  std::span<const std::byte> ends;      // Four bytes a row, in plain text and lists.
  std::span<const std::byte> data;

  bool is_null(std::size_t row) const;
  // The bytes of a row's value. Requires: it is not null; `size` is that of an element, 0 for text
  // and lists.
  std::span<const std::byte> value(std::size_t row, std::size_t size) const;
};

// The columns of a rows block, checked so that every row can be read.
Result<std::vector<ColumnChunk>> decode_rows(
    std::span<const std::byte> payload, std::uint32_t rows, const tensor::ColumnSpecs& specs
);

}  // namespace weir::ledger
