#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "batch/parquet_footer.h"

// The footer of a Parquet file. What can be read is written so that it reads the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weir;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto read = batch::read_parquet_footer(bytes, 1'000);
  if (!read) return 0;
  const std::string written = batch::write_parquet_footer(*read, read->row_groups, read->rows);
  const auto again = batch::read_parquet_footer(written, 0);
  if (!again) return 0;  // The fields before the row groups need not be those that there must be.
  CHECK(again->rows == read->rows, "the number of rows is kept");
  CHECK(again->row_groups == read->row_groups, "row groups are kept");
  return 0;
}
