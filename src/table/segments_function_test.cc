#include <array>
#include <cstdlib>

#include <gtest/gtest.h>

#include "table/test_worker.h"

// The segments of the tests, and the table function over them.

namespace weir::table {
namespace {

using tensor::DataType;

constexpr std::size_t batch_rows = 5'000;

class TestReader final : public BatchReader {
 public:
  explicit TestReader(std::span<const std::string> paths)
      : paths_(paths.begin(), paths.end()),
        specs_(std::make_shared<const tensor::ColumnSpecs>(tensor::ColumnSpecs{
            {"id", DataType::bytes, false},
            {"tag", DataType::bytes, false},
            {"number", DataType::int64, false},
            {"score", DataType::fp32, false},
            {"half", DataType::fp16, false},
            {"small", DataType::uint8, false},
            {"flag", DataType::boolean, false},
            {"list", DataType::fp32, true}})),
        batch_(specs_) {}

  Result<std::shared_ptr<const tensor::ColumnSpecs>> specs() override { return specs_; }

  Result<const tensor::Columns*> next() override {
    while (row_ == rows_) {
      if (file_ == paths_.size()) return nullptr;
      const std::string text = Folder::read(paths_[file_++]);
      if (text == "abort") std::abort();
      if (text == "broken") return fail(Code::corrupt, "segment '{}' is broken", paths_[0]);
      row_ = 0;
      rows_ = static_cast<std::size_t>(std::stoul(text));
    }
    batch_.clear();
    const std::size_t end = std::min(row_ + batch_rows, rows_);
    for (; row_ < end; ++row_) add(row_);
    return &batch_;
  }

 private:
  void add(std::size_t i) {
    const std::string number = std::to_string(i);
    batch_[0].add_text("record-number-" + std::string(10 - number.size(), '0') + number);
    batch_[1].add_text(i % 10 == 0 ? std::string_view("\xFFt") : std::string_view("täg"));
    i % 7 == 0 ? batch_[2].add_null() : batch_[2].add(static_cast<std::int64_t>(i));
    batch_[3].add(static_cast<float>(i) * 0.5F);
    batch_[4].add(std::uint16_t{0x3E00});  // 1.5
    batch_[5].add(static_cast<std::uint8_t>(i % 256));
    batch_[6].add(i % 2 == 0);
    const std::array<float, 2> elements = {static_cast<float>(i), -1.0F};
    i % 11 == 0 ? batch_[7].add_null()
                : batch_[7].add_list(std::as_bytes(std::span(elements).first(i % 3)));
  }

  const std::vector<std::string> paths_;
  std::shared_ptr<const tensor::ColumnSpecs> specs_;
  tensor::Columns batch_;
  std::size_t file_ = 0;
  std::size_t row_ = 0;
  std::size_t rows_ = 0;
};

// A worker, two files of segments and a view over them.
class Segments : public testing::Test {
 protected:
  std::string ask(const std::string& sql) {
    return answer(
        worker_,
        {.setup = "CREATE VIEW s AS FROM weir_segments(['" + first_ + "', '" + second_ +
                  "'], 'electricity', 'records')",
         .sql = sql,
         .readable = {folder_.path()}}
    );
  }

  const Folder folder_;
  const std::string first_ = folder_.write("first", "12345");
  const std::string second_ = folder_.write("second", "7");
  Worker worker_{small_worker()};
};

TEST_F(Segments, AreCounted) {
  EXPECT_EQ(ask("SELECT count(*) AS n FROM s"), R"([{"n":12352}])");
}

TEST_F(Segments, HaveValuesOfEveryType) {
  EXPECT_EQ(
      ask("FROM s LIMIT 3"),
      R"([{"id":"record-number-0000000000","tag":"\\xFFt","number":null,"score":0,"half":1.5,)"
      R"("small":0,"flag":true,"list":null},)"
      R"({"id":"record-number-0000000001","tag":"täg","number":1,"score":0.5,"half":1.5,)"
      R"("small":1,"flag":false,"list":[1]},)"
      R"({"id":"record-number-0000000002","tag":"täg","number":2,"score":1,"half":1.5,)"
      R"("small":2,"flag":true,"list":[2,-1]}])"
  );
}

TEST_F(Segments, AddUpAcrossVectorsAndBatches) {
  // Over the rows of the first file: everything but the multiples of 7.
  std::int64_t sum = 0;
  std::int64_t lists = 0;
  std::int64_t elements = 0;
  for (const int rows : {12'345, 7}) {
    for (int i = 0; i < rows; ++i) {
      if (i % 7 != 0) sum += i;
      if (i % 11 != 0) ++lists;
      if (i % 11 != 0) elements += i % 3;
    }
  }
  EXPECT_EQ(
      ask("SELECT sum(number)::BIGINT AS s, count(list) AS l, sum(len(list))::BIGINT AS e FROM s"),
      fmt::format(R"([{{"s":{},"l":{},"e":{}}}])", sum, lists, elements)
  );
}

TEST_F(Segments, ReadOnlyTheColumnsOfTheQueryInItsOrder) {
  EXPECT_EQ(
      ask("SELECT small, id FROM s WHERE number = 9999"),
      R"([{"small":15,"id":"record-number-0000009999"}])"
  );
}

TEST_F(Segments, MayBeJoinedWithThemselves) {
  EXPECT_EQ(
      ask("SELECT count(*) AS n FROM s a JOIN s b USING (id) WHERE a.number > 10"),
      fmt::format(R"([{{"n":{}}}])", 12'344 - 10 - 12'344 / 7 + 10 / 7)
  );
}

TEST_F(Segments, CanBeUsedDirectlyWithinWhatIsReadable) {
  EXPECT_EQ(
      ask("SELECT count(*) AS n FROM weir_segments(['" + second_ + "'], 'electricity', 'records')"),
      R"([{"n":7}])"
  );
}

TEST_F(Segments, CannotBeUsedDirectlyOutsideWhatIsReadable) {
  const Folder other;
  const std::string secret = other.write("secret", "3");
  std::filesystem::create_symlink(secret, folder_.file("link"));
  for (const std::string& path :
       {secret,
        folder_.path() + "/../" + other.path().substr(5) + "/secret",
        folder_.file("link")}) {
    const std::string said = ask("FROM weir_segments(['" + path + "'], 'e', 'records')");
    EXPECT_NE(said.find("may not be read by this statement"), std::string::npos) << said;
  }
}

TEST_F(Segments, ThatAreBrokenFailTheQueryOnly) {
  folder_.write("second", "broken");
  const std::string said = ask("SELECT count(*) FROM s");
  EXPECT_NE(said.find("is broken"), std::string::npos) << said;
  folder_.write("second", "1");
  EXPECT_EQ(ask("SELECT count(*) AS n FROM s"), R"([{"n":12346}])");
}

TEST_F(Segments, ThatCrashTheReaderFailTheQueryOnly) {
  folder_.write("second", "abort");
  const std::string said = ask("SELECT count(*) FROM s");
  EXPECT_TRUE(said.starts_with("unavailable: ")) << said;
  EXPECT_NE(said.find("signal 6"), std::string::npos) << said;
  folder_.write("second", "1");
  EXPECT_EQ(ask("SELECT count(*) AS n FROM s"), R"([{"n":12346}])");
}

TEST_F(Segments, ThatDoNotExistSayWhyTheTablesCannotBeOpened) {
  const std::string said = answer(
      worker_,
      {.setup = "CREATE VIEW s AS FROM weir_segments(['" + first_ + "'], 'other', 'records')",
       .sql = "FROM s"}
  );
  EXPECT_NE(said.find("the tables cannot be opened"), std::string::npos) << said;
  EXPECT_NE(said.find("no endpoint 'other'"), std::string::npos) << said;
}

TEST_F(Segments, AreCopiedToParquetWithAllTheirRows) {
  const std::string path = folder_.file("all.parquet");
  const auto copied = worker_.execute(
      "COPY (FROM weir_segments(['" + first_ + "'], 'electricity', 'records')) TO '" + path +
      "' (FORMAT parquet, COMPRESSION zstd)"
  );
  ASSERT_TRUE(copied) << copied.error().message;
  EXPECT_EQ(*copied, 12'345U);
  EXPECT_EQ(
      answer(
          worker_,
          {.sql = "SELECT id, list FROM '" + path + "' WHERE number = 12344", .readable = {path}}
      ),
      R"([{"id":"record-number-0000012344","list":[12344,-1]}])"
  );
}

}  // namespace

Result<std::unique_ptr<BatchReader>> open_test_segments(
    std::span<const std::string> paths, std::string_view endpoint, std::string_view kind
) {
  if (kind != "records") return fail(Code::invalid_argument, "no kind '{}'", kind);
  if (endpoint != "electricity" && endpoint != "e") {
    return fail(Code::not_found, "no endpoint '{}'", endpoint);
  }
  return std::make_unique<TestReader>(paths);
}

}  // namespace weir::table
