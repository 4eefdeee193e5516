#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

// The footer of a Parquet file, as far as it takes to put files of one schema one behind the other
// without looking at their rows: the row groups stay as they are, and only say where they lie.
// (Parquet's FileMetaData in Thrift's compact protocol.)

namespace weir::batch {

struct ParquetFooter {
  std::string schema;  // Encoded, to be compared.
  std::int64_t rows = 0;
  std::vector<std::string> row_groups;  // Encoded, one each.
  std::string before;                   // Encoded fields of the file before and behind the row
  std::string behind;                   // groups, without the number of rows.
};

// Reads the bytes between the last page of a file and the footer's length. All places in the file
// are moved by `shift` bytes. Errors: corrupt.
Result<ParquetFooter> read_parquet_footer(std::string_view bytes, std::int64_t shift);

// The footer of a file that holds these row groups in this order; `first` gives everything else.
std::string write_parquet_footer(
    const ParquetFooter& first, const std::vector<std::string>& row_groups, std::int64_t rows
);

}  // namespace weir::batch
