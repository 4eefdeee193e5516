#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

// The data of the demo: the electricity market of New South Wales, one row per half hour, with a
// label that is known half an hour later. examples/electricity/README.md tells more.

namespace weir::app {

inline constexpr std::array demo_features = {
    "day", "period", "nswprice", "nswdemand", "vicprice", "vicdemand", "transfer"};

struct DemoRow {
  Moment time = 0;
  std::array<float, demo_features.size()> features{};
  int label = 0;
};

// All rows in order of time. Looked for below `folder`, else in examples/electricity beside the
// program's source or the current folder.
Result<std::vector<DemoRow>> read_demo_data(const std::string& folder);

struct DemoTraining {
  std::size_t begin = 0;  // Rows [begin, end).
  std::size_t end = 0;
  std::uint32_t trees = 100;
  std::uint32_t depth = 6;
  std::size_t scaled_feature = demo_features.size();  // This feature comes in another unit…
  float scale = 1;                                    // …by this factor.
};

// Trains a model on some rows and saves it.
Result<void> train_demo_model(
    const std::vector<DemoRow>& rows, const DemoTraining& training, const std::string& path
);

}  // namespace weir::app
