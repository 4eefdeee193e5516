#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

// The few functions of XGBoost's C interface that training needs, loaded at run time: the program
// neither links libxgboost nor needs its headers. Declared here from its documentation.

namespace weir::train {

using XgboostHandle = void*;

// Every function that can fail returns 0 for success; get_last_error then says why it did not.
struct XgboostLibrary {
  const char* (*get_last_error)();
  void (*version)(int* major, int* minor, int* patch);
  int (*matrix_create
  )(const float* values,
    std::uint64_t rows,
    std::uint64_t columns,
    float missing,
    XgboostHandle* out);
  int (*matrix_set_floats
  )(XgboostHandle matrix, const char* field, const float* values, std::uint64_t size);
  int (*matrix_set_texts
  )(XgboostHandle matrix, const char* field, const char** texts, std::uint64_t size);
  int (*matrix_free)(XgboostHandle matrix);
  int (*booster_create)(const XgboostHandle* matrices, std::uint64_t size, XgboostHandle* out);
  int (*booster_set)(XgboostHandle booster, const char* name, const char* value);
  int (*booster_update)(XgboostHandle booster, int round, XgboostHandle matrix);
  int (*booster_evaluate
  )(XgboostHandle booster,
    int round,
    XgboostHandle* matrices,
    const char** names,
    std::uint64_t size,
    const char** out);
  int (*booster_save)(XgboostHandle booster, const char* path);
  int (*booster_free)(XgboostHandle booster);
};

// From `path`, or from the environment variable WEIR_XGBOOST, or as the system's libxgboost.so.
Result<XgboostLibrary> load_xgboost(const std::string& path);

}  // namespace weir::train
