#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include <stdlib.h>

#include "table/worker.h"

// What the tests of this module share. The test program is its own worker: see worker_test.cc.

namespace weir::table {

// A temporary folder, removed at the end.
class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "weir_table_XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  // An existing one, removed all the same.
  explicit Folder(std::string path) : path_(std::move(path)) {}
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  std::string write(const std::string& name, std::string_view text) const {
    std::ofstream(file(name), std::ios::binary) << text;
    return file(name);
  }
  static std::string read(const std::string& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

 private:
  std::string path_;
};

inline WorkerOptions small_worker() {
  WorkerOptions options;
  options.memory_bytes = 256ULL << 20;
  return options;
}

// The JSON text of a query, or its error as "code: message".
inline std::string answer(Worker& worker, const Query& query) {
  const Result<QueryResult> result = worker.query(query);
  if (result) return result->json;
  return std::string(to_string(result.error().code)) + ": " + result.error().message;
}
inline std::string ask(Worker& worker, const std::string& sql) {
  return answer(worker, Query{.sql = sql});
}

// Segments of the tests: a file holds the number of its rows as text. Row i has the columns
//   id (text of 24 characters), tag (short text, bytes that are no UTF-8 in every tenth row),
//   number (int64, null when i % 7 == 0), score (fp32), half (fp16), small (uint8), flag (bool),
//   list (fp32, i % 3 elements, null when i % 11 == 0)
// in batches of 5,000 rows. A file that holds "broken" cannot be read, one that holds "abort"
// brings the reader down.
Result<std::unique_ptr<BatchReader>> open_test_segments(
    std::span<const std::string> paths, std::string_view endpoint, std::string_view kind
);

}  // namespace weir::table
