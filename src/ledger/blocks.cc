#include "ledger/blocks.h"

#include <algorithm>

#include "base/hash.h"

namespace weir::ledger {
namespace {

// Read at once: large enough that the calls do not count, small enough for the cache.
constexpr std::size_t window_bytes = 256U << 10;

}  // namespace

Result<Blocks> Blocks::open(std::unique_ptr<ByteSource> source) {
  Blocks blocks(std::move(source));
  const auto first = TRY(blocks.bytes(0, segment_header_bytes));
  blocks.header_ = TRY(decode_segment_header(first));
  return blocks;
}

Result<Blocks> Blocks::open(const std::string& path) {
  auto blocks = open(TRY(open_source(path)));
  if (!blocks) {
    return fail(blocks.error().code, "cannot read '{}': {}", path, blocks.error().message);
  }
  return blocks;
}

Result<std::span<const std::byte>> Blocks::bytes(std::uint64_t offset, std::size_t size) {
  const std::uint64_t left = source_->size() > offset ? source_->size() - offset : 0;
  size = static_cast<std::size_t>(std::min<std::uint64_t>(size, left));
  if (offset < window_begin_ || offset + size > window_begin_ + window_size_) {
    const std::size_t wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(std::max(size, window_bytes), left));
    if (window_.size() < wanted) window_.resize(wanted);
    window_begin_ = offset;
    window_size_ = TRY(source_->read(offset, std::span(window_).first(wanted)));
    size = std::min(size, window_size_);
  }
  const auto at = static_cast<std::size_t>(offset - window_begin_);
  return std::span<const std::byte>(window_).subspan(at, size);
}

Result<const BlockHeader*> Blocks::next() {
  for (std::uint64_t at = end_; at + block_header_bytes <= source_->size(); at += 8) {
    const auto found = decode_block_header(TRY(bytes(at, block_header_bytes)), header_.identity);
    if (!found) continue;
    const std::uint64_t end = at + block_header_bytes + found->padded_payload_bytes();
    if (end > source_->size()) continue;
    block_ = *found;
    begin_ = at;
    end_ = end;
    return &block_;
  }
  end_ = source_->size();
  return nullptr;
}

Result<std::optional<std::span<const std::byte>>> Blocks::payload() {
  const auto payload = TRY(bytes(begin_ + block_header_bytes, block_.payload_bytes));
  if (payload.size() != block_.payload_bytes ||
      hash64(payload, header_.identity) != block_.payload_checksum) {
    return std::nullopt;
  }
  return payload;
}

Result<std::optional<Summary>> Blocks::footer() {
  const std::uint64_t size = source_->size();
  if (size < segment_header_bytes + block_header_bytes + 8 || size % 8 != 0) return std::nullopt;
  const std::uint64_t at = decode_footer_offset(TRY(bytes(size - 8, 8)));
  if (at % 8 != 0 || at < segment_header_bytes || at > size - block_header_bytes) {
    return std::nullopt;
  }
  const auto found = decode_block_header(TRY(bytes(at, block_header_bytes)), header_.identity);
  if (!found || found->type != BlockType::footer ||
      at + block_header_bytes + found->padded_payload_bytes() != size) {
    return std::nullopt;
  }
  const auto payload = TRY(bytes(at + block_header_bytes, found->payload_bytes));
  if (payload.size() != found->payload_bytes ||
      hash64(payload, header_.identity) != found->payload_checksum) {
    return std::nullopt;
  }
  auto summary = decode_footer(payload);
  if (!summary) return std::nullopt;
  return std::move(*summary);
}

}  // namespace weir::ledger
