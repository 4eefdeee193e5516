#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/forest_reader.h"
#include "model/forest_text.h"

// The lines of a LightGBM model before its trees, and what follows from them.

namespace weir::model::lightgbm {

struct Header {
  std::string_view version;
  std::int64_t class_count = 1;
  std::int64_t trees_per_iteration = 1;
  std::int64_t max_feature_index = -1;
  std::string_view objective;  // "binary sigmoid:1"; empty when training had one of its own.
  bool is_average = false;
  std::vector<std::string> feature_names;
  std::size_t tree_size_count = 0;
};

// Takes one line; unknown ones are passed over.
Result<void> read_header_entry(const Entry& entry, Header& header);

// Checks the header and decides how trees are read.
Result<ForestOptions> make_options(const Header& header, std::uint32_t max_nodes);

// Sets task, link and scale.
Result<void> apply_objective(const Header& header, ForestModel& model);

// Names that LightGBM made up (Column_0 …) are none: an endpoint may have real ones.
bool has_real_names(const Header& header, std::size_t feature_count);

}  // namespace weir::model::lightgbm
