#include "ledger/segment_writer.h"

#include "base/check.h"
#include "base/id.h"

namespace weir::ledger {

SegmentWriter::SegmentWriter(std::shared_ptr<AppendFile> file, std::string path, SegmentKind kind)
    : file_(std::move(file)), path_(std::move(path)), identity_(random64()) {
  encode_segment_header({kind, identity_}, buffer_);
}

Result<std::unique_ptr<SegmentWriter>> SegmentWriter::create(
    FileSystem& files, const std::string& path, SegmentKind kind
) {
  std::shared_ptr<AppendFile> file = TRY(files.create(path));
  return std::unique_ptr<SegmentWriter>(new SegmentWriter(std::move(file), path, kind));
}

Result<std::uint16_t> SegmentWriter::schema_number(
    std::string_view endpoint, const std::shared_ptr<const tensor::ColumnSpecs>& specs
) {
  auto found = schemas_.find(endpoint);
  if (found == schemas_.end()) {
    found = schemas_.emplace(std::string(endpoint), std::vector<NumberedSchema>()).first;
  }
  for (const NumberedSchema& schema : found->second) {
    if (schema.specs == specs || *schema.specs == *specs) return schema.number;
  }
  if (schema_count_ == max_schemas) {
    return fail(Code::exhausted, "'{}' holds {} schemas, no more fit", path_, max_schemas);
  }
  const auto number = static_cast<std::uint16_t>(schema_count_++);
  encode_schema_block({std::string(endpoint), specs}, number, identity_, buffer_);
  found->second.push_back({specs, number});
  return number;
}

Result<void> SegmentWriter::append(std::string_view endpoint, const tensor::Columns& columns) {
  CHECK(!is_broken_, "a broken segment is left at once");
  const std::uint16_t number = TRY(schema_number(endpoint, columns.specs()));
  const BlockHeader header = encode_rows_block(columns, number, identity_, buffer_);
  TRY(write_buffer());
  const auto found = summary_.find(endpoint);
  RowRange& range = found == summary_.end() ? summary_[std::string(endpoint)] : found->second;
  range.add(range_of(header));
  return {};
}

Result<void> SegmentWriter::close() {
  CHECK(!is_broken_, "a broken segment has no footer");
  encode_footer_block(summary_, size_ + buffer_.size(), identity_, buffer_);
  return write_buffer();
}

Result<void> SegmentWriter::write_buffer() {
  const auto written = file_->append(buffer_);
  if (!written) {
    is_broken_ = true;
    return tl::unexpected(written.error());
  }
  size_ += buffer_.size();
  buffer_.clear();
  return {};
}

}  // namespace weir::ledger
