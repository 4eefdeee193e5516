#include "batch/parquet_footer.h"

#include <utility>

#include "base/check.h"

namespace weir::batch {
namespace {

// Thrift's compact protocol. https://github.com/apache/thrift/blob/master/doc/specs
enum Type : std::uint8_t {
  stop = 0,
  boolean_true = 1,
  boolean_false = 2,
  byte = 3,
  i16 = 4,
  i32 = 5,
  i64 = 6,
  float64 = 7,
  binary = 8,
  list = 9,
  set = 10,
  map = 11,
  structure = 12,
};

// What a structure is, as far as it matters here.
enum class Kind : std::uint8_t { other, row_group, column_chunk, column_meta };

constexpr int max_depth = 32;

std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
std::int64_t unzigzag(std::uint64_t value) {
  return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

void write_varint(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out += static_cast<char>(value | 0x80);
    value >>= 7;
  }
  out += static_cast<char>(value);
}

// Whether this number is a place in the file.
bool is_offset(Kind kind, std::int16_t field) {
  switch (kind) {
    case Kind::row_group:
      return field == 5;
    case Kind::column_chunk:
      return field == 2 || field == 4 || field == 6;
    case Kind::column_meta:
      return field == 9 || field == 10 || field == 11 || field == 14;
    case Kind::other:
      break;
  }
  return false;
}

Kind kind_within(Kind kind, std::int16_t field) {
  if (kind == Kind::row_group && field == 1) return Kind::column_chunk;
  if (kind == Kind::column_chunk && field == 3) return Kind::column_meta;
  return Kind::other;
}

struct Field {
  std::int16_t id = 0;
  std::uint8_t type = stop;
};

// Reads values and copies them, moving places in the file.
class Copier {
 public:
  Copier(std::string_view bytes, std::int64_t shift) : rest_(bytes), shift_(shift) {}

  bool is_at_end() const { return rest_.empty(); }

  Result<std::uint8_t> take_byte() {
    if (rest_.empty()) return fail(Code::corrupt, "a Parquet footer ends too early");
    const auto value = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }

  Result<std::uint64_t> take_varint() {
    std::uint64_t value = 0;
    for (unsigned at = 0; at < 64; at += 7) {
      const std::uint64_t next = TRY(take_byte());
      value |= (next & 0x7F) << at;
      if ((next & 0x80) == 0) return value;
    }
    return fail(Code::corrupt, "a Parquet footer holds a number that is too long");
  }

  Result<Field> take_field(std::int16_t last) {
    const std::uint8_t head = TRY(take_byte());
    if (head == stop) return Field{};
    Field field{.id = 0, .type = static_cast<std::uint8_t>(head & 0x0F)};
    const int delta = head >> 4;
    if (delta != 0) {
      field.id = static_cast<std::int16_t>(last + delta);
    } else {
      field.id = static_cast<std::int16_t>(unzigzag(TRY(take_varint())));
    }
    return field;
  }

  struct ListHead {
    std::uint64_t size = 0;
    std::uint8_t type = stop;
  };
  Result<ListHead> take_list_head() {
    const std::uint8_t head = TRY(take_byte());
    ListHead found{.size = static_cast<std::uint64_t>(head >> 4), .type = 0};
    found.type = head & 0x0F;
    if (found.size == 15) found.size = TRY(take_varint());
    // Every element has at least one byte.
    if (found.size > rest_.size()) return fail(Code::corrupt, "a list of a Parquet footer is cut");
    return found;
  }

  Result<void> copy_bytes(std::uint64_t size, std::string& out) {
    if (size > rest_.size()) return fail(Code::corrupt, "a Parquet footer ends too early");
    out.append(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return {};
  }

  Result<void> copy_struct(Kind kind, int depth, std::string& out) {
    std::int16_t last = 0;
    while (true) {
      const Field field = TRY(take_field(last));
      if (field.type == stop) {
        out += static_cast<char>(stop);
        return {};
      }
      write_field_head(field, last, out);
      last = field.id;
      if (field.type == i64 && is_offset(kind, field.id)) {
        const std::int64_t place = unzigzag(TRY(take_varint()));
        std::int64_t moved = 0;
        if (__builtin_add_overflow(place, shift_, &moved)) {
          return fail(Code::corrupt, "a Parquet footer names a place beyond any file");
        }
        // Zero stands for none where a place is not given.
        write_varint(out, zigzag(place == 0 ? 0 : moved));
        continue;
      }
      TRY(copy_value(field.type, kind_within(kind, field.id), depth + 1, out));
    }
  }

  Result<void> copy_value(std::uint8_t type, Kind kind, int depth, std::string& out) {
    if (depth > max_depth) return fail(Code::corrupt, "a Parquet footer is nested too deeply");
    switch (type) {
      case boolean_true:
      case boolean_false:
        return {};
      case byte:
        return copy_bytes(1, out);
      case i16:
      case i32:
      case i64:
        write_varint(out, TRY(take_varint()));
        return {};
      case float64:
        return copy_bytes(8, out);
      case binary: {
        const std::uint64_t size = TRY(take_varint());
        write_varint(out, size);
        return copy_bytes(size, out);
      }
      case list:
      case set:
        return copy_list(kind, depth, out);
      case map:
        return copy_map(depth, out);
      case structure:
        return copy_struct(kind, depth, out);
      default:
        break;
    }
    return fail(Code::corrupt, "a Parquet footer holds a value of an unknown type {}", type);
  }

  static void write_field_head(const Field& field, std::int16_t last, std::string& out) {
    const int delta = field.id - last;
    if (delta > 0 && delta < 16) {
      out += static_cast<char>(delta << 4 | field.type);
      return;
    }
    out += static_cast<char>(field.type);
    write_varint(out, zigzag(field.id));
  }

  static void write_list_head(std::uint64_t size, std::uint8_t type, std::string& out) {
    out += static_cast<char>((size < 15 ? size : 15) << 4 | type);
    if (size >= 15) write_varint(out, size);
  }

 private:
  // Within a list a boolean is a byte.
  Result<void> copy_element(std::uint8_t type, Kind kind, int depth, std::string& out) {
    const bool is_boolean = type == boolean_true || type == boolean_false;
    return is_boolean ? copy_bytes(1, out) : copy_value(type, kind, depth + 1, out);
  }

  Result<void> copy_list(Kind kind, int depth, std::string& out) {
    const ListHead head = TRY(take_list_head());
    write_list_head(head.size, head.type, out);
    for (std::uint64_t i = 0; i < head.size; ++i) TRY(copy_element(head.type, kind, depth, out));
    return {};
  }

  Result<void> copy_map(int depth, std::string& out) {
    const std::uint64_t size = TRY(take_varint());
    write_varint(out, size);
    if (size == 0) return {};
    if (size > rest_.size()) return fail(Code::corrupt, "a map of a Parquet footer is cut");
    const std::uint8_t types = TRY(take_byte());
    out += static_cast<char>(types);
    for (std::uint64_t i = 0; i < size; ++i) {
      TRY(copy_element(types >> 4, Kind::other, depth, out));
      TRY(copy_element(types & 0x0F, Kind::other, depth, out));
    }
    return {};
  }

  std::string_view rest_;
  std::int64_t shift_;
};

// Fields of FileMetaData.
constexpr std::int16_t schema_field = 2;
constexpr std::int16_t rows_field = 3;
constexpr std::int16_t row_groups_field = 4;

}  // namespace

Result<ParquetFooter> read_parquet_footer(std::string_view bytes, std::int64_t shift) {
  Copier copier(bytes, shift);
  ParquetFooter footer;
  std::int16_t last = 0;
  std::int16_t last_written = 0;
  bool has_row_groups = false;
  while (true) {
    const Field field = TRY(copier.take_field(last));
    if (field.type == stop) break;
    if (field.id <= last) return fail(Code::corrupt, "fields of a Parquet footer are out of order");
    last = field.id;
    if (field.id == rows_field && field.type == i64) {
      footer.rows = unzigzag(TRY(copier.take_varint()));
    } else if (field.id == row_groups_field && field.type == list) {
      const auto head = TRY(copier.take_list_head());
      if (head.type != structure) return fail(Code::corrupt, "a Parquet row group is no structure");
      for (std::uint64_t i = 0; i < head.size; ++i) {
        TRY(copier.copy_struct(Kind::row_group, 0, footer.row_groups.emplace_back()));
      }
      has_row_groups = true;
    } else {
      std::string& out = field.id < row_groups_field ? footer.before : footer.behind;
      // What is written between them ends with the row groups.
      if (field.id > row_groups_field && footer.behind.empty()) last_written = row_groups_field;
      Copier::write_field_head(field, last_written, out);
      last_written = field.id;
      std::string value;
      TRY(copier.copy_value(field.type, Kind::other, 0, value));
      if (field.id == schema_field) footer.schema = value;
      out += value;
    }
  }
  if (!has_row_groups || footer.schema.empty()) {
    return fail(Code::corrupt, "a Parquet footer has no schema or no row groups");
  }
  return footer;
}

std::string write_parquet_footer(
    const ParquetFooter& first, const std::vector<std::string>& row_groups, std::int64_t rows
) {
  std::string out = first.before;
  Copier::write_field_head({rows_field, i64}, schema_field, out);
  write_varint(out, zigzag(rows));
  Copier::write_field_head({row_groups_field, list}, rows_field, out);
  Copier::write_list_head(row_groups.size(), structure, out);
  for (const std::string& row_group : row_groups) out += row_group;
  return out + first.behind + static_cast<char>(stop);
}

}  // namespace weir::batch
