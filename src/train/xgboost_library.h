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
  using Handle = XgboostHandle;
  using Size = std::uint64_t;
  using GetLastError = const char*();
  using Version = void(int* major, int* minor, int* patch);
  using MatrixCreate = int(const float* values, Size rows, Size width, float missing, Handle* out);
  using MatrixSetFloats = int(Handle, const char* field, const float* values, Size size);
  using BoosterCreate = int(const Handle* matrices, Size size, Handle* out);
  using BoosterSet = int(Handle, const char* name, const char* value);
  using BoosterUpdate = int(Handle, int round, Handle matrix);
  using BoosterEvaluate =
      int(Handle, int round, Handle* matrices, const char** names, Size size, const char** out);
  using BoosterSetTexts = int(Handle, const char* field, const char** texts, Size size);
  using BoosterSave = int(Handle, const char* path);
  using Free = int(Handle);

  GetLastError* get_last_error;
  Version* version;
  MatrixCreate* matrix_create;
  MatrixSetFloats* matrix_set_floats;
  Free* matrix_free;
  BoosterCreate* booster_create;
  BoosterSet* booster_set;
  BoosterUpdate* booster_update;
  BoosterEvaluate* booster_evaluate;
  BoosterSetTexts* booster_set_texts;
  BoosterSave* booster_save;
  Free* booster_free;
};

// From `path`, or from the environment variable WEIR_XGBOOST, or as the system's libxgboost.so.
Result<XgboostLibrary> load_xgboost(const std::string& path);

}  // namespace weir::train
