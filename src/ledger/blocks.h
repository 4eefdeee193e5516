#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"
#include "ledger/disk.h"
#include "ledger/format.h"

namespace weir::ledger {

// Walks over the blocks of a segment, from any bytes. Damage is stepped over: after a header that
// is not valid it looks for the next one. One thread at a time.
class Blocks {
 public:
  // Reads the segment's header. corrupt when there is none.
  static Result<Blocks> open(std::unique_ptr<ByteSource> source);
  static Result<Blocks> open(const std::string& path);

  const SegmentHeader& header() const { return header_; }

  // The next block whose header is valid and whose payload lies within the file; nullptr at the
  // end.
  Result<const BlockHeader*> next();

  // The payload of the current block, valid until the next call of either; nothing when its
  // checksum is wrong.
  Result<std::optional<std::span<const std::byte>>> payload();

  // Of the current block.
  std::uint64_t begin() const { return begin_; }
  std::uint64_t end() const { return end_; }
  std::uint64_t file_size() const { return source_->size(); }

  // The summary in the footer of a segment that was closed in order; nothing without one.
  Result<std::optional<Summary>> footer();

 private:
  explicit Blocks(std::unique_ptr<ByteSource> source) : source_(std::move(source)) {}
  // The bytes from `offset` on, at most `size`, fewer at the end of the file.
  Result<std::span<const std::byte>> bytes(std::uint64_t offset, std::size_t size);

  std::unique_ptr<ByteSource> source_;
  SegmentHeader header_;
  BlockHeader block_;
  std::uint64_t begin_ = segment_header_bytes;
  std::uint64_t end_ = segment_header_bytes;  // Where the next header is looked for.
  Bytes window_;
  std::uint64_t window_begin_ = 0;
  std::size_t window_size_ = 0;
};

}  // namespace weir::ledger
