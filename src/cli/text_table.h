#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::cli {

// A table for people: a header, rows, columns as wide as they need to be, numbers to the right.
// Made to fit a terminal: text columns are cut with '…' where the whole would be wider than
// `width`.
class TextTable {
 public:
  explicit TextTable(std::vector<std::string> header) : header_(std::move(header)) {}
  // Requires: as many cells as the header has.
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  std::string text(std::size_t width = 100) const;

 private:
  std::vector<std::string> header_;
  std::vector<std::vector<std::string>> rows_;
};

// "12,345"
std::string with_commas(std::uint64_t number);

// Columns that a text takes in a terminal: code points, as far as nothing in it is double-width.
std::size_t display_width(std::string_view text);

}  // namespace weir::cli
