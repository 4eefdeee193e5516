#include "table/file_format.h"

#include <array>

#include "table/sql_text.h"

namespace weir::table {

Result<FileFormat> file_format(std::string_view path) {
  struct Ending {
    std::string_view text;
    FileFormat format;
  };
  constexpr std::array<Ending, 6> endings = {
      {{".csv", FileFormat::csv},
       {".tsv", FileFormat::csv},
       {".ndjson", FileFormat::ndjson},
       {".jsonl", FileFormat::ndjson},
       {".json", FileFormat::json},
       {".parquet", FileFormat::parquet}}};
  const bool is_packed = path.ends_with(".gz");
  const std::string_view name = is_packed ? path.substr(0, path.size() - 3) : path;
  for (const Ending& ending : endings) {
    if (!name.ends_with(ending.text)) continue;
    if (is_packed && ending.format == FileFormat::parquet) break;
    return ending.format;
  }
  return fail(
      Code::invalid_argument,
      "'{}' has no known ending: use .csv, .tsv, .ndjson, .jsonl, .json or .parquet",
      path
  );
}

std::string reader_of(FileFormat format, std::string_view path, bool as_text) {
  const std::string name = literal(path);
  switch (format) {
    case FileFormat::csv:
      // All rows decide about the type of a column: a late surprise would end the reading.
      return "read_csv(" + name + (as_text ? ", all_varchar = true)" : ", sample_size = -1)");
    case FileFormat::ndjson:
      return "read_json(" + name + ", format = 'newline_delimited', sample_size = -1)";
    case FileFormat::json:
      return "read_json(" + name + ", sample_size = -1)";
    case FileFormat::parquet:
      break;
  }
  return "read_parquet(" + name + ")";
}

std::string copy_options(FileFormat format) {
  switch (format) {
    case FileFormat::csv:
      return "(FORMAT csv, HEADER true)";
    case FileFormat::ndjson:
      return "(FORMAT json)";
    case FileFormat::json:
      return "(FORMAT json, ARRAY true)";
    case FileFormat::parquet:
      break;
  }
  return "(FORMAT parquet, COMPRESSION zstd)";
}

}  // namespace weir::table
