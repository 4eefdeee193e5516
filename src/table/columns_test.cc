#include <cmath>

#include <gtest/gtest.h>

#include "table/columns_packet.h"
#include "table/test_worker.h"
#include "table/typed_file.h"

namespace weir::table {
namespace {

using tensor::DataType;

std::shared_ptr<const tensor::ColumnSpecs> specs_of(tensor::ColumnSpecs specs) {
  return std::make_shared<const tensor::ColumnSpecs>(std::move(specs));
}

// A number, a text, a list.
std::shared_ptr<const tensor::ColumnSpecs> three() {
  return specs_of(
      {{"n", DataType::fp32, false}, {"t", DataType::bytes, false}, {"l", DataType::int64, true}}
  );
}

// Row i is i, "text i" and [i, i + 1]; every third row is null.
void add_rows(tensor::Columns& columns, std::size_t begin, std::size_t count) {
  for (std::size_t row = begin; row < begin + count; ++row) {
    if (row % 3 == 2) {
      for (std::size_t i = 0; i < 3; ++i) columns[i].add_null();
      continue;
    }
    const auto number = static_cast<std::int64_t>(row);
    const std::array<std::int64_t, 2> list = {number, number + 1};
    columns[0].add(static_cast<float>(row));
    columns[1].add_text("a text that is long enough, " + std::to_string(row));
    columns[2].add_list(std::as_bytes(std::span(list)));
  }
}

class BulkRows : public testing::Test {
 protected:
  // "a,b;c,d": the values of all rows as text, and the sizes of the batches.
  std::string rows(const ColumnsQuery& query) {
    std::string text;
    sizes_.clear();
    const auto read = worker_.read_columns(query, [&](tensor::Columns&& batch) -> Result<void> {
      sizes_.push_back(batch.rows());
      for (std::size_t row = 0; row < batch.rows(); ++row) {
        for (std::size_t i = 0; i < batch.width(); ++i) {
          text += (i > 0 ? "|" : "") + value(batch[i], row);
        }
        text += ';';
      }
      return {};
    });
    after_ = read ? read->json : "";
    if (!read) return std::string(to_string(read.error().code)) + ": " + read.error().message;
    return text;
  }

  std::string typed(const std::string& path, const TypedRead& wanted) {
    const auto head = read_head(worker_, path);
    if (!head) return head.error().message;
    const auto plan = plan_typed_read(*head, wanted);
    if (!plan) return plan.error().message;
    return rows(plan->query);
  }

  static std::string value(const tensor::Column& column, std::size_t row) {
    if (column.is_null(row)) return "-";
    if (column.spec().is_list) return std::to_string(column.text(row).size()) + "B";
    if (column.spec().datatype == DataType::bytes) return std::string(column.text(row));
    if (column.spec().datatype == DataType::int64) {
      return std::to_string(column.values<std::int64_t>()[row]);
    }
    return fmt::format("{}", column.values<float>()[row]);
  }

  const Folder folder_;
  Worker worker_{small_worker()};
  std::vector<std::size_t> sizes_;
  std::string after_;
};

TEST_F(BulkRows, ComeInBatchesOfTheWantedSizeWithNullsTextsAndLists) {
  const std::string text = rows(
      {.sql = "SELECT CASE WHEN i % 2 = 0 THEN i::FLOAT END, 'n' || i, [i, i]::BIGINT[] FROM "
              "range(5000) r(i)",
       .after = "SELECT 7 AS seven",
       .specs = three(),
       .skip_rows = 2500,
       .batch_rows = 999}
  );
  EXPECT_EQ(sizes_, (std::vector<std::size_t>{999, 999, 502}));
  EXPECT_TRUE(text.starts_with("2500|n2500|16B;-|n2501|16B;2502|")) << text.substr(0, 60);
  EXPECT_TRUE(text.ends_with(";-|n4999|16B;"));
  EXPECT_EQ(after_, R"([{"seven":7}])");
}

TEST_F(BulkRows, OfAnotherTypeThanSaidAreAnError) {
  EXPECT_EQ(
      rows({.sql = "SELECT 1, 'a', [1]::BIGINT[]", .specs = three()}),
      "internal: column 'n' does not come as FP32"
  );
  EXPECT_EQ(
      rows({.sql = "SELECT 1", .specs = three()}),
      "internal: the statement gives 1 columns instead of 3"
  );
  EXPECT_EQ(rows({.sql = "SELECT 2::FLOAT, 'a', [1]::BIGINT[]", .specs = three()}), "2|a|8B;");
}

TEST_F(BulkRows, AreWrittenAsTheyWereGivenAndReadAgain) {
  const std::string path = folder_.file("x.parquet");
  tensor::Columns batch(three());
  std::size_t given = 0;
  const auto written = worker_.write_columns(
      "COPY (FROM " + std::string(incoming_rows) + ") TO '" + path + "'",
      *three(),
      [&]() -> Result<const tensor::Columns*> {
        if (given == 9'000) return nullptr;
        batch.clear();
        add_rows(batch, given, 3'000);
        given += 3'000;
        return &batch;
      }
  );
  ASSERT_TRUE(written) << written.error().message;
  EXPECT_EQ(*written, 9'000U);
  const std::string read = rows({.sql = "FROM '" + path + "'", .specs = three()});
  tensor::Columns all(three());
  add_rows(all, 0, 9'000);
  std::string expected;
  for (std::size_t row = 0; row < 9'000; ++row) {
    for (std::size_t i = 0; i < 3; ++i) expected += (i > 0 ? "|" : "") + value(all[i], row);
    expected += ';';
  }
  EXPECT_EQ(read, expected);
}

TEST_F(BulkRows, ThatCannotBeWrittenLeaveTheWorkerUsable) {
  tensor::Columns batch(three());
  add_rows(batch, 0, 50'000);
  int left = 20;
  const auto written = worker_.write_columns(
      "COPY (FROM " + std::string(incoming_rows) + ") TO '/no/such/folder/x.parquet'",
      *three(),
      [&]() -> Result<const tensor::Columns*> { return left-- > 0 ? &batch : nullptr; }
  );
  EXPECT_FALSE(written);
  const auto stopped = worker_.write_columns(
      "COPY (FROM " + std::string(incoming_rows) + ") TO '" + folder_.file("y.parquet") + "'",
      *three(),
      []() -> Result<const tensor::Columns*> { return fail(Code::conflict, "no more"); }
  );
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().message, "no more");
  EXPECT_EQ(rows({.sql = "SELECT 2::FLOAT, 'a', [1]::BIGINT[]", .specs = three()}), "2|a|8B;");
}

TEST_F(BulkRows, OfACsvSayWhichValuesAreOfAnotherType) {
  const std::string path = folder_.write(
      "a.csv",
      "a,n,t,k\n1,2,x,007\noops,2,x,b\n,3,,c\n1,2\n1,2.5,x,d\n1,,x,e\n\"open,1,x,f\nnan,4,"
      "\"g\"\"\",g\n"
  );
  const TypedRead wanted{
      .columns =
          {{.name = "a"},
           {.name = "n", .datatype = DataType::int64},
           {.name = "t", .datatype = DataType::bytes}},
      .keep = {"k"}};
  EXPECT_EQ(
      typed(path, wanted),
      "1|2|x|-|007;-|2|x|column 'a': oops is no FP32|b;-|3||-|c;"
      "1|3|x|column 'n': 2.5 is no whole number|d;1|-|x|column 'n' is missing|e;"
  );
  EXPECT_NE(after_.find("\"line\":5,\"reason\":\"Expected Number of Columns: 4"), after_.npos);
  EXPECT_NE(after_.find("\"line\":8,\"reason\":\"Value with unterminated quote"), after_.npos);
}

TEST_F(BulkRows, OfNdjsonKeepTheirTypes) {
  const std::string path = folder_.write(
      "a.ndjson",
      "{\"a\":1,\"t\":\"x\",\"l\":[1,2]}\n\nnonsense\n[1]\n{\"a\":\"1\",\"t\":\"x\",\"l\":[1,2]}\n"
      "{\"a\":null,\"t\":\"y\",\"l\":[1,null]}\n{\"a\":2,\"t\":5,\"l\":[1,2]}\n"
      "{\"a\":2,\"t\":\"z\",\"l\":[1]}\n"
  );
  const TypedRead wanted{
      .columns = {
          {.name = "a"},
          {.name = "t", .datatype = DataType::bytes},
          {.name = "l", .datatype = DataType::fp32, .elements = 2}}};
  EXPECT_EQ(
      typed(path, wanted),
      "1|x|8B|-;-|-|-|the line is no JSON;-|-|-|the line is no JSON object;"
      "-|x|8B|column 'a': \"1\" is no FP32;-|y|8B|-;2|-|8B|column 't': 5 is no BYTES;"
      "2|z|4B|column 'l' is no list of 2 values of type FP32;"
  );
}

TEST_F(BulkRows, OfParquetAreCastAndRefusedWhereMissingIsForbidden) {
  const std::string path = folder_.file("a.parquet");
  ASSERT_TRUE(worker_.execute(
      "COPY (SELECT * FROM (VALUES (1.5::DOUBLE, DATE '2026-11-24'), (NULL, NULL), ('nan', NULL), "
      "(1e300, NULL)) v(a, d)) TO '" +
      path + "'"
  ));
  const TypedRead wanted{.columns = {{.name = "a", .may_be_missing = false}}, .keep = {"d"}};
  EXPECT_EQ(
      typed(path, wanted),
      "1.5|-|2026-11-24;-|column 'a' is missing|-;nan|column 'a' is missing|-;"
      "-|column 'a': 1e+300 is no FP32|-;"
  );
  const TypedRead missed{.columns = {{.name = "b"}}};
  EXPECT_EQ(typed(path, missed), "'" + path + "' has no column 'b'; it has: a, d");
}

TEST_F(BulkRows, AreEstimated) {
  std::string text = "a;b\n";
  for (int i = 0; i < 1000; ++i) text += "1;2\n";
  const auto head = read_head(worker_, folder_.write("a.csv", text));
  ASSERT_TRUE(head);
  EXPECT_EQ(head->delimiter, ';');
  EXPECT_EQ(head->columns.size(), 2U);
  const auto estimate = estimate_rows(worker_, *head);
  ASSERT_TRUE(estimate && *estimate);
  EXPECT_EQ((*estimate)->rows, 1001U);
  EXPECT_FALSE((*estimate)->is_exact);
  EXPECT_FALSE(read_head(worker_, folder_.write("empty.csv", "")));
}

TEST(ColumnsPacket, ThatDoesNotFitIsRefused) {
  tensor::Columns columns(three());
  add_rows(columns, 0, 9);
  Packet packet(PacketKind::part);
  put_columns(packet, columns);
  tensor::Columns again(three());
  Packet whole(PacketKind::part, packet.bytes());
  ASSERT_TRUE(take_columns(whole, again));
  EXPECT_EQ(again[1].text(7), columns[1].text(7));
  EXPECT_TRUE(again[1].is_null(8));
  for (std::size_t size = 0; size < packet.bytes().size(); size += 7) {
    Packet cut(PacketKind::part, packet.bytes().substr(0, size));
    EXPECT_FALSE(take_columns(cut, again));
  }
  std::string wrong = packet.bytes();
  wrong[0] = 5;  // Of the rows.
  Packet fewer(PacketKind::part, wrong);
  EXPECT_FALSE(take_columns(fewer, again));
}

}  // namespace
}  // namespace weir::table
