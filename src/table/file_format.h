#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace weir::table {

// Files of rows that people bring and take away.
enum class FileFormat { csv, ndjson, json, parquet };

// By the end of the name: .csv, .tsv, .ndjson, .jsonl, .json, .parquet, and all but the last with
// .gz behind it.
Result<FileFormat> file_format(std::string_view path);

// "read_csv('path', …)". With `as_text` the fields of a CSV stay text instead of being guessed.
std::string reader_of(FileFormat format, std::string_view path, bool as_text);

// "(FORMAT parquet, …)" of a COPY … TO.
std::string copy_options(FileFormat format);

}  // namespace weir::table
