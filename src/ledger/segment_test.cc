#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/id.h"
#include "ledger/blocks.h"
#include "ledger/faulty_files.h"
#include "ledger/format.h"
#include "ledger/reader.h"
#include "ledger/recovery.h"
#include "ledger/segment_writer.h"
#include "ledger/test_rows.h"
#include "ledger/widen.h"

namespace weir::ledger {
namespace {

using tensor::ColumnSpec;
using tensor::DataType;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string write_segment(
    const TemporaryFolder& folder,
    const std::vector<std::pair<std::string, tensor::Columns>>& batches,
    bool with_footer = true,
    const std::string& name = "w1-00000001.segment"
) {
  std::string path = folder.path() + "/" + name;
  auto writer = SegmentWriter::create(system_files(), path, SegmentKind::records);
  EXPECT_TRUE(writer);
  for (const auto& [endpoint, columns] : batches) {
    const auto appended = (*writer)->append(endpoint, columns);
    EXPECT_TRUE(appended) << appended.error().message;
  }
  if (with_footer) {
    EXPECT_TRUE((*writer)->close());
  }
  return path;
}

std::string read_file(const std::string& path) {
  return *system_files().read(path);
}

void write_file(const std::string& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

// One batch of one column after another, read back through the reader as text.
std::vector<std::string> round_trip(const std::vector<tensor::Columns>& batches) {
  TemporaryFolder folder;
  std::vector<std::pair<std::string, tensor::Columns>> named;
  for (const tensor::Columns& batch : batches) named.emplace_back("e", batch);
  const std::vector<std::string> paths = {write_segment(folder, named)};
  auto reader = open_segments(paths, "e", "records");
  EXPECT_TRUE(reader);
  const auto specs = *(*reader)->specs();
  const std::size_t last = specs->size() - 1;
  std::vector<std::string> values = {fmt::format(
      "{}{}", tensor::to_string((*specs)[last].datatype), (*specs)[last].is_list ? "[]" : ""
  )};
  while (const tensor::Columns* batch = *(*reader)->next()) {
    const tensor::Column& column = (*batch)[last];
    for (std::size_t row = 0; row < batch->rows(); ++row) {
      if (column.is_null(row)) {
        values.emplace_back("null");
      } else if (column.spec().is_list || column.spec().datatype == DataType::bytes) {
        values.emplace_back(column.text(row));
      } else if (column.spec().datatype == DataType::fp64) {
        values.push_back(fmt::format("{}", column.values<double>()[row]));
      } else if (column.spec().datatype == DataType::fp32) {
        values.push_back(fmt::format("{}", column.values<float>()[row]));
      } else if (column.spec().datatype == DataType::int64) {
        values.push_back(fmt::format("{}", column.values<std::int64_t>()[row]));
      } else {
        values.emplace_back("?");
      }
    }
  }
  return values;
}

template <class... T>
tensor::Columns one_column(const ColumnSpec& spec, T... values) {
  tensor::Columns columns(std::make_shared<const tensor::ColumnSpecs>(tensor::ColumnSpecs{spec}));
  (columns[0].add(values), ...);
  return columns;
}

tensor::Columns texts(const std::vector<std::optional<std::string>>& values) {
  tensor::Columns columns(std::make_shared<const tensor::ColumnSpecs>(tensor::ColumnSpecs{
      {"x", DataType::bytes}}));
  for (const auto& value : values) {
    if (value) {
      columns[0].add_text(*value);
    } else {
      columns[0].add_null();
    }
  }
  return columns;
}

TEST(Segment, GivesBackWhatWasWritten) {
  TemporaryFolder folder;
  const std::vector<std::string> paths = {write_segment(
      folder,
      {{"e", numbered_batch("a", 3)},
       {"other", numbered_batch("b", 2)},
       {"e", numbered_batch("c", 1)}}
  )};
  EXPECT_THAT(read_ids(paths, "e"), ElementsAre("a0", "a1", "a2", "c0"));
  EXPECT_THAT(read_ids(paths, "other"), ElementsAre("b0", "b1"));
  EXPECT_THAT(read_ids(paths, "nobody"), IsEmpty());
}

TEST(Segment, KeepsEveryKindOfValue) {
  EXPECT_THAT(
      round_trip({texts({"", "a", std::nullopt, "ß"})}), ElementsAre("BYTES", "", "a", "null", "ß")
  );
  EXPECT_THAT(
      round_trip({texts({"same", "same", "same"})}), ElementsAre("BYTES", "same", "same", "same")
  );
  EXPECT_THAT(round_trip({texts({"ab", "a", "b"})}), ElementsAre("BYTES", "ab", "a", "b"));
  EXPECT_THAT(
      round_trip({texts({std::nullopt, std::nullopt})}), ElementsAre("BYTES", "null", "null")
  );
  EXPECT_THAT(round_trip({texts({"", ""})}), ElementsAre("BYTES", "", ""));
  const ColumnSpec fp64{"x", DataType::fp64};
  EXPECT_THAT(round_trip({one_column(fp64, 1.5, 2.5)}), ElementsAre("FP64", "1.5", "2.5"));
  EXPECT_THAT(round_trip({one_column(fp64, 1.5, 1.5)}), ElementsAre("FP64", "1.5", "1.5"));
  EXPECT_THAT(round_trip({one_column(fp64, 0.5)}), ElementsAre("FP64", "0.5"));
  tensor::Columns lists(std::make_shared<const tensor::ColumnSpecs>(tensor::ColumnSpecs{
      {"x", DataType::uint8, true}}));
  const std::string list = "abc";
  lists[0].add_list(std::as_bytes(std::span(list)));
  lists[0].add_null();
  lists[0].add_list({});
  EXPECT_THAT(round_trip({lists}), ElementsAre("UINT8[]", "abc", "null", ""));
}

TEST(Segment, StoresAColumnOfOneValueOnce) {
  const tensor::Columns columns =
      texts(std::vector<std::optional<std::string>>(1'000, "same text"));
  Bytes block;
  encode_rows_block(columns, 0, 1, block);
  EXPECT_LT(block.size(), 100U);
}

TEST(Segment, BringsColumnsOfOneNameToATypeThatHoldsBoth) {
  const auto floats = one_column({"x", DataType::fp32}, 1.5F);
  EXPECT_THAT(
      round_trip({floats, one_column({"X", DataType::fp64}, 2.5)}),
      ElementsAre("FP64", "1.5", "2.5")
  );
  EXPECT_THAT(
      round_trip(
          {one_column({"x", DataType::int32}, std::int32_t{-3}),
           one_column({"x", DataType::uint32}, std::uint32_t{4'000'000'000})}
      ),
      ElementsAre("INT64", "-3", "4000000000")
  );
  EXPECT_THAT(
      round_trip(
          {one_column({"x", DataType::boolean}, true),
           one_column({"x", DataType::int64}, std::int64_t{5})}
      ),
      ElementsAre("INT64", "1", "5")
  );
  EXPECT_THAT(round_trip({floats, texts({"up"})}), ElementsAre("BYTES", "1.5", "up"));
  EXPECT_THAT(
      round_trip(
          {one_column({"x", DataType::fp16}, std::uint16_t{0x3e00}),
           one_column({"x", DataType::bf16}, std::uint16_t{0xbf00})}
      ),
      ElementsAre("FP32", "1.5", "-0.5")
  );
}

TEST(Segment, WidensEveryPairOfTypesToOneThatBothFit) {
  for (int a = 0; a <= static_cast<int>(DataType::bytes); ++a) {
    for (int b = 0; b <= static_cast<int>(DataType::bytes); ++b) {
      const ColumnSpec first{"x", static_cast<DataType>(a)};
      const ColumnSpec second{"x", static_cast<DataType>(b)};
      const ColumnSpec both = widen(first, second);
      EXPECT_EQ(both, widen(second, first));
      EXPECT_EQ(widen(both, first), both)
          << to_string(first.datatype) << to_string(second.datatype);
      EXPECT_EQ(widen(both, second), both);
    }
  }
}

TEST(Segment, FillsColumnsThatABatchLacksWithNulls) {
  TemporaryFolder folder;
  const std::vector<ColumnSpec> old_features = {{"price", DataType::fp64}};
  const std::vector<ColumnSpec> new_features = {
      {"price", DataType::fp64}, {"load", DataType::fp64}};
  tensor::Columns before(record_specs(old_features, {}));
  append_head(before, {.id = "old"});
  before[head_width].add(1.0);
  tensor::Columns after(record_specs(new_features, {}));
  append_head(after, {.id = "new"});
  after[head_width].add(2.0);
  after[head_width + 1].add(3.0);
  const std::vector<std::string> paths = {write_segment(folder, {{"e", before}, {"e", after}})};
  auto reader = open_segments(paths, "e", "records");
  ASSERT_TRUE(reader);
  const tensor::Columns* batch = *(*reader)->next();
  ASSERT_NE(batch, nullptr);
  ASSERT_EQ(batch->width(), head_width + 2);
  EXPECT_TRUE((*batch)[head_width + 1].is_null(0));
  EXPECT_EQ((*batch)[head_width + 1].values<double>()[1], 3.0);
}

TEST(Segment, GivesOnlyTheColumnsThatAreAskedFor) {
  TemporaryFolder folder;
  const std::vector<std::string> paths = {
      write_segment(folder, {{"e", numbered_batch("a", 2)}, {"other", tiny_batch("x")}})};
  auto reader = open_segments(paths, "e", "records");
  ASSERT_TRUE(reader);
  const auto specs = (*reader)->specs();
  ASSERT_TRUE(specs);
  const std::vector<std::size_t> wanted = {(*specs)->size() - 1, 0};
  EXPECT_TRUE((*reader)->project(wanted));
  const auto batch = (*reader)->next();
  ASSERT_TRUE(batch && *batch != nullptr);
  ASSERT_EQ((*batch)->width(), 2U);
  ASSERT_EQ((*batch)->rows(), 2U);
  EXPECT_EQ((**batch)[0].values<double>()[1], 0.25);
  EXPECT_EQ((**batch)[1].text(1), "a1");
  const auto end = (*reader)->next();
  EXPECT_TRUE(end && *end == nullptr);
}

TEST(Segment, HasTheFixedColumnsWithoutAnyFile) {
  const std::vector<std::string> none;
  auto records = open_segments(none, "e", "records");
  ASSERT_TRUE(records);
  EXPECT_EQ((*(*records)->specs())->size(), head_width);
  EXPECT_EQ(*(*records)->next(), nullptr);
  EXPECT_TRUE(open_segments(none, "e", "feedback"));
  EXPECT_FALSE(open_segments(none, "e", "events"));
}

TEST(Segment, PassesOverBlocksOfOtherTimes) {
  TemporaryFolder folder;
  const std::vector<std::string> paths = {write_segment(
      folder,
      {{"e", numbered_batch("a", 2, 10)},
       {"e", numbered_batch("b", 2, 20)},
       {"e", numbered_batch("c", 1, 30)}}
  )};
  EXPECT_THAT(read_ids(paths, "e", "records@12,20"), ElementsAre("b0", "b1"));
  EXPECT_THAT(read_ids(paths, "e", "records@-5,10"), ElementsAre("a0", "a1"));
  EXPECT_THAT(read_ids(paths, "e", "records@31,99"), IsEmpty());
  for (const char* wrong : {"records@", "records@1", "records@1,", "records@1,2x", "other@1,2"}) {
    EXPECT_FALSE(open_segments(paths, "e", wrong)) << wrong;
  }
}

TEST(Segment, TellsTheSummaryFromItsFooter) {
  TemporaryFolder folder;
  const std::string path =
      write_segment(folder, {{"e", numbered_batch("a", 3, 50)}, {"e", numbered_batch("b", 2, 10)}});
  const auto scanned = scan_segment(path);
  ASSERT_TRUE(scanned);
  EXPECT_TRUE(scanned->has_footer);
  const RowRange expected{5, 10, 52, 10, 52};
  EXPECT_EQ(scanned->summary.at("e"), expected);
  const auto checked = scan_segment(path, true);
  ASSERT_TRUE(checked);
  EXPECT_EQ(checked->summary.at("e"), expected);
  EXPECT_EQ(checked->valid_bytes, read_file(path).size());
}

TEST(Segment, PassesOverADamagedBlockAndReadsTheNext) {
  TemporaryFolder folder;
  const std::string path = write_segment(
      folder,
      {{"e", numbered_batch("a", 1)}, {"e", numbered_batch("b", 1)}, {"e", numbered_batch("c", 1)}}
  );
  const std::string bytes = read_file(path);
  for (const std::size_t distance : {0U, 8U, 70U}) {  // In the payload, and in the block's header.
    std::string damaged = bytes;
    const std::size_t at = damaged.find("some text of b0");
    ASSERT_NE(at, std::string::npos);
    const std::size_t header = damaged.rfind("WBLK", at);
    damaged[distance == 0 ? at : header + distance] ^= 1;
    write_file(path, damaged);
    EXPECT_THAT(read_ids({path}, "e"), ElementsAre("a0", "c0"));
    EXPECT_EQ(scan_segment(path, true)->damaged_blocks, 1U);
  }
}

TEST(Segment, IsReadUpToWhateverByteItWasCutAt) {
  TemporaryFolder folder;
  const std::string path =
      write_segment(folder, {{"e", tiny_batch("a")}, {"e", tiny_batch("b")}}, false);
  const std::string bytes = read_file(path);
  std::size_t last = 0;
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    write_file(path, bytes.substr(0, size));
    const auto ids = read_ids({path}, "e");
    ASSERT_LE(ids.size(), 2U) << size;
    ASSERT_GE(ids.size(), last);
    last = ids.size();
  }
  EXPECT_EQ(last, 2U);
}

TEST(Segment, IsNotTakenForAnotherOneWhoseBlocksLieBehindIt) {
  TemporaryFolder folder;
  const std::string first = write_segment(folder, {{"e", numbered_batch("a", 1)}}, false);
  const std::string other =
      write_segment(folder, {{"e", numbered_batch("b", 1)}}, false, "w1-00000002.segment");
  // As on a disk that gives a deleted file's pages to a new one.
  write_file(first, read_file(first) + read_file(other).substr(segment_header_bytes));
  EXPECT_THAT(read_ids({first}, "e"), ElementsAre("a0"));
}

TEST(Segment, IsPassedOverWhenItIsGoneOrNoSegment) {
  TemporaryFolder folder;
  const std::string good = write_segment(folder, {{"e", numbered_batch("a", 1)}});
  const std::string garbage = folder.path() + "/w1-00000009.segment";
  write_file(garbage, std::string(500, 'x'));
  EXPECT_THAT(read_ids({folder.path() + "/none", garbage, good}, "e"), ElementsAre("a0"));
}

TEST(Segment, OfAnotherFormatIsRefused) {
  TemporaryFolder folder;
  Bytes bytes;
  encode_segment_header({}, bytes);
  bytes[8] = std::byte{2};
  EXPECT_FALSE(decode_segment_header(bytes));
}

TEST(Segment, RefusesColumnsThatWouldGrowBeyondTheLimit) {
  // A block of a few bytes that claims a million rows of a long text.
  const tensor::Columns columns = texts({std::string(4'096, 'x'), std::string(4'096, 'x')});
  Bytes block;
  encode_rows_block(columns, 0, 1, block);
  const auto payload = std::span<const std::byte>(block).subspan(block_header_bytes);
  const std::size_t size = decode_block_header(block, 1)->payload_bytes;
  EXPECT_TRUE(decode_rows(payload.first(size), 2, *columns.specs()));
  EXPECT_FALSE(decode_rows(payload.first(size), max_block_rows, *columns.specs()));
}

TEST(Segment, DecodesNoDamagedPayloadAsRows) {
  tensor::Columns columns = small_batch({{.id = "a"}, {.id = "b"}});
  Bytes block;
  encode_rows_block(columns, 0, 1, block);
  const std::size_t size = decode_block_header(block, 1)->payload_bytes;
  const Bytes payload(
      block.begin() + block_header_bytes,
      block.begin() + static_cast<std::ptrdiff_t>(block_header_bytes + size)
  );
  ASSERT_TRUE(decode_rows(payload, 2, *columns.specs()));
  EXPECT_FALSE(decode_rows(payload, 3, *columns.specs()));
  for (std::size_t cut = 0; cut < payload.size(); ++cut) {
    EXPECT_FALSE(decode_rows(std::span(payload).first(cut), 2, *columns.specs())) << cut;
  }
}

}  // namespace
}  // namespace weir::ledger
