#include "tensor/tensor.h"

#include <cmath>
#include <cstring>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "tensor/columns.h"

namespace weir::tensor {
namespace {

TEST(DataType, NamesReadBack) {
  for (int i = 0; i <= static_cast<int>(DataType::bytes); ++i) {
    const auto datatype = static_cast<DataType>(i);
    EXPECT_EQ(parse_datatype(to_string(datatype)), datatype);
  }
  EXPECT_FALSE(parse_datatype("fp32").has_value());
}

TEST(Shape, RefusesAProductThatOverflows) {
  EXPECT_EQ((Shape{2, 3}).element_count(), 6);
  EXPECT_EQ(Shape{}.element_count(), 1);
  EXPECT_FALSE((Shape{-1, 3}).element_count().has_value());
  EXPECT_FALSE((Shape{INT64_MAX, 2}).element_count().has_value());
  // A zero elsewhere does not excuse it from being a small array in the end.
  EXPECT_EQ((Shape{0, 5}).element_count(), 0);
}

TEST(Shape, AcceptsAnySizeWhereItIsVariable) {
  EXPECT_TRUE((Shape{-1, 8}).accepts(Shape{5, 8}));
  EXPECT_FALSE((Shape{-1, 8}).accepts(Shape{5, 7}));
  EXPECT_FALSE((Shape{-1, 8}).accepts(Shape{8}));
}

TEST(Tensor, KeepsStringsOfAnyBytes) {
  Tensor tensor;
  tensor.reset(DataType::bytes, Shape{3});
  tensor.add_string("");
  tensor.add_string(std::string_view("a\0b", 3));
  tensor.add_string("\xFF");
  EXPECT_EQ(tensor.strings_added(), 3U);
  EXPECT_EQ(tensor.string(0), "");
  EXPECT_EQ(tensor.string(1), std::string_view("a\0b", 3));
  EXPECT_EQ(tensor.string(2), "\xFF");
}

TEST(Tensor, WidensHalfPrecision) {
  Tensor tensor;
  tensor.reset(DataType::fp16, Shape{4});
  const std::uint16_t bits[] = {0x3C00, 0xC000, 0x0001, 0x7C00};
  std::memcpy(tensor.raw().data(), bits, sizeof(bits));
  EXPECT_EQ(to_double(tensor, 0), 1.0);
  EXPECT_EQ(to_double(tensor, 1), -2.0);
  EXPECT_EQ(to_double(tensor, 2), std::ldexp(1.0, -24));
  EXPECT_TRUE(std::isinf(to_double(tensor, 3)));
}

TEST(Columns, KeepValuesNullsTextsAndLists) {
  const auto specs = std::make_shared<const ColumnSpecs>(ColumnSpecs{
      {"x", DataType::fp64, false},
      {"name", DataType::bytes, false},
      {"list", DataType::fp32, true}});
  Columns columns(specs);
  columns[0].add(1.5);
  columns[1].add_text("one");
  const float elements[] = {1, 2};
  columns[2].add_list(std::as_bytes(std::span(elements)));
  columns[0].add_null();
  columns[1].add_null();
  columns[2].add_null();
  EXPECT_EQ(columns.rows(), 2U);
  EXPECT_FALSE(columns[0].is_null(0));
  EXPECT_TRUE(columns[0].is_null(1));
  EXPECT_EQ(columns[0].values<double>()[0], 1.5);
  EXPECT_EQ(columns[1].text(0), "one");
  EXPECT_EQ(columns[1].text(1), "");
  EXPECT_EQ(columns[2].text(0).size(), 8U);
  columns.clear();
  EXPECT_EQ(columns.rows(), 0U);
  EXPECT_EQ(columns.size_bytes(), 0U);
}

// All that a column consists of.
auto parts(const Column& column) {
  const auto bytes = column.bytes();
  const auto ends = column.ends();
  const auto validity = column.validity();
  return std::tuple(
      std::vector(bytes.begin(), bytes.end()),
      std::vector(ends.begin(), ends.end()),
      std::vector(validity.begin(), validity.end()),
      column.rows(),
      column.has_nulls()
  );
}

TEST(Columns, ManyRowsAtOnceAreTheSameAsOneByOne) {
  const float nan = std::nanf("");
  const std::vector<float> spaced = {1, -1, 2, -1, nan, -1, 4, -1, 5, -1, 6, -1, 7, -1, 8, -1,
                                     9, -1, 0, -1, nan, -1, 3, -1, 2, -1, 1, -1, 7, -1, 8, -1};
  for (std::size_t before = 0; before < 10; ++before) {
    for (std::size_t count = 0; count <= 16; ++count) {
      Column many_numbers({"x", DataType::fp32, false});
      Column one_number(many_numbers.spec());
      Column many_texts({"name", DataType::bytes, false});
      Column one_text(many_texts.spec());
      for (Column* column : {&many_numbers, &one_number}) column->add(0.5F, before);
      for (Column* column : {&many_texts, &one_text}) column->add_null(before);

      many_numbers.add(2.5F, count);
      many_numbers.add_null(count);
      many_numbers.add_spaced(spaced.data(), 2, count);
      many_texts.add_text("seven", count);
      many_texts.add_null(count);
      for (std::size_t i = 0; i < count; ++i) one_number.add(2.5F);
      for (std::size_t i = 0; i < count; ++i) one_number.add_null();
      for (std::size_t i = 0; i < count; ++i) {
        std::isnan(spaced[2 * i]) ? one_number.add_null() : one_number.add(spaced[2 * i]);
      }
      for (std::size_t i = 0; i < count; ++i) one_text.add_text("seven");
      for (std::size_t i = 0; i < count; ++i) one_text.add_null();
      ASSERT_EQ(parts(many_numbers), parts(one_number)) << before << " and " << count;
      ASSERT_EQ(parts(many_texts), parts(one_text)) << before << " and " << count;
    }
  }
}

}  // namespace
}  // namespace weir::tensor
