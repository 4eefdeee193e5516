// Segments and swap lists of the ledger. The bytes are read as a whole segment, whose checksums
// stop most damage, and as each kind of payload behind them, as if the checksums had not.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/check.h"
#include "ledger/blocks.h"
#include "ledger/format.h"
#include "ledger/swap.h"
#include "ledger/widen.h"

namespace {

using namespace weir;
using namespace weir::ledger;

class MemorySource final : public ByteSource {
 public:
  explicit MemorySource(std::span<const std::byte> bytes) : bytes_(bytes) {}
  Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> out) override {
    if (offset >= bytes_.size()) return std::size_t{0};
    const auto part = bytes_.subspan(static_cast<std::size_t>(offset));
    const std::size_t size = std::min(out.size(), part.size());
    std::copy_n(part.begin(), size, out.begin());
    return size;
  }
  std::uint64_t size() const override { return bytes_.size(); }

 private:
  std::span<const std::byte> bytes_;
};

// Reads every value, as its own type and as text.
void read_rows(
    std::span<const std::byte> payload, std::uint32_t rows, const tensor::ColumnSpecs& specs
) {
  const auto chunks = decode_rows(payload, rows, specs);
  if (!chunks) return;
  CHECK(chunks->size() == specs.size(), "there is a chunk for each column");
  rows = std::min<std::uint32_t>(rows, 4'096);
  for (std::size_t i = 0; i < specs.size(); ++i) {
    tensor::Column same(specs[i]);
    append_chunk((*chunks)[i], specs[i], rows, same);
    CHECK(same.rows() == rows, "every row has a value or none");
    tensor::Column text(widen(specs[i], {specs[i].name, tensor::DataType::bytes}));
    append_chunk((*chunks)[i], specs[i], rows, text);
    CHECK(text.rows() == rows, "every row has a value or none");
  }
}

void read_segment(std::span<const std::byte> bytes) {
  auto blocks = Blocks::open(std::make_unique<MemorySource>(bytes));
  if (!blocks) return;
  (void)blocks->footer();
  std::vector<Schema> schemas;
  for (;;) {
    const auto header = blocks->next();
    CHECK(header.has_value(), "memory has no errors");
    if (*header == nullptr) break;
    const auto payload = blocks->payload();
    CHECK(payload.has_value(), "memory has no errors");
    if (!*payload) continue;
    if ((*header)->type == BlockType::schema) {
      if (auto schema = decode_schema(**payload)) schemas.push_back(std::move(*schema));
    } else if ((*header)->type == BlockType::rows && (*header)->schema < schemas.size()) {
      read_rows(**payload, (*header)->rows, *schemas[(*header)->schema].specs);
    } else if ((*header)->type == BlockType::footer) {
      (void)decode_footer(**payload);
    }
  }
}

// Columns of every type, so that any payload meets its decoder.
const tensor::ColumnSpecs& all_types() {
  static const tensor::ColumnSpecs specs = [] {
    tensor::ColumnSpecs made;
    for (int type = 0; type <= static_cast<int>(tensor::DataType::bytes); ++type) {
      const auto datatype = static_cast<tensor::DataType>(type);
      made.push_back({"scalar", datatype});
      if (datatype != tensor::DataType::bytes) made.push_back({"list", datatype, true});
    }
    return made;
  }();
  return specs;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  read_segment(bytes);
  (void)decode_schema(bytes);
  (void)decode_footer(bytes);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto swap = decode_swap(text, {"w1", 1})) {
    CHECK(decode_swap(encode_swap(*swap), {"w1", 1}) == *swap, "what was written can be read");
  }
  if (size < 2) return 0;
  // The first two bytes choose the rows and the column that the payload begins with.
  const std::uint32_t rows = data[0];
  const std::size_t first = data[1] % all_types().size();
  const auto begin = all_types().begin() + static_cast<std::ptrdiff_t>(first);
  for (const std::size_t width : {std::size_t{1}, all_types().size() - first}) {
    const tensor::ColumnSpecs specs(begin, begin + static_cast<std::ptrdiff_t>(width));
    read_rows(bytes.subspan(2), rows, specs);
  }
  return 0;
}
