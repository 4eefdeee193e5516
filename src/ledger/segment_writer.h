#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "ledger/format.h"

namespace weir::ledger {

// Appends batches to one segment file: docs/ledger-format.md, sections 2 and 4. One thread at a
// time; the file may be synced by another thread meanwhile.
class SegmentWriter {
 public:
  static Result<std::unique_ptr<SegmentWriter>> create(
      FileSystem& files, const std::string& path, SegmentKind kind
  );

  // One write to the file. After an error the segment takes nothing more: see is_broken.
  Result<void> append(std::string_view endpoint, const tensor::Columns& columns);
  // Writes the footer. Nothing may be appended after it.
  Result<void> close();

  // A write failed, so that the end of the file may be anything.
  bool is_broken() const { return is_broken_; }
  // So many schemas that another one may not fit.
  bool is_full() const { return schema_count_ == max_schemas; }
  // Of what was written without error.
  std::uint64_t size() const { return size_; }
  const Summary& summary() const { return summary_; }
  const std::shared_ptr<AppendFile>& file() const { return file_; }
  const std::string& path() const { return path_; }

 private:
  struct NumberedSchema {
    std::shared_ptr<const tensor::ColumnSpecs> specs;
    std::uint16_t number;
  };
  SegmentWriter(std::shared_ptr<AppendFile> file, std::string path, SegmentKind kind);
  // The number of the schema; adds its block to the buffer when the segment lacks it.
  Result<std::uint16_t> schema_number(
      std::string_view endpoint, const std::shared_ptr<const tensor::ColumnSpecs>& specs
  );
  Result<void> write_buffer();

  std::shared_ptr<AppendFile> file_;
  std::string path_;
  std::uint64_t identity_;
  std::map<std::string, std::vector<NumberedSchema>, std::less<>> schemas_;
  std::uint32_t schema_count_ = 0;
  Bytes buffer_;  // What the next write takes; its memory is kept.
  std::uint64_t size_ = 0;
  Summary summary_;
  bool is_broken_ = false;
};

}  // namespace weir::ledger
