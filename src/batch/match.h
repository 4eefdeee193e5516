#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/signature.h"
#include "table/typed_file.h"

// Which column of a file becomes which element of a model's inputs.

namespace weir::batch {

// Where a column goes: one element of a row of an input, or all of them when it is a list.
struct InputPlace {
  std::size_t input = 0;
  std::size_t element = 0;
};

struct Match {
  std::vector<table::TypedColumn> columns;
  std::vector<InputPlace> places;  // One per column.
  std::string note;                // What a person should look at; empty when names did it.
};

struct MatchOptions {
  std::vector<std::string> endpoint_features{};  // Names by position, for made-up ones.
  std::vector<std::string> columns{};            // Given by a person, in the model's order.
  std::vector<std::string> keep{};               // Columns that are no input by position.
};

// By the names of the features; by position when a person gave the columns, or when the file has no
// column of such a name and exactly as many columns as the model wants.
Result<Match> match_columns(
    const model::Signature& signature, const table::FileHead& head, const MatchOptions& options
);

}  // namespace weir::batch
