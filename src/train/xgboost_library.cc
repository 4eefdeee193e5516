#include "train/xgboost_library.h"

#include <cstdlib>
#include <type_traits>
#include <vector>

#include <dlfcn.h>

namespace weir::train {
namespace {

std::vector<std::string> places(const std::string& path) {
  if (!path.empty()) return {path};
  // Nothing changes the environment while this runs.
  const char* named = std::getenv("WEIR_XGBOOST");
  if (named != nullptr && *named != '\0') return {named};
  return {"libxgboost.so", "libxgboost.so.0"};
}

}  // namespace

Result<XgboostLibrary> load_xgboost(const std::string& path) {
  void* library = nullptr;
  std::string reason;
  for (const std::string& place : places(path)) {
    library = ::dlopen(place.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library != nullptr) break;
    const char* error = ::dlerror();
    reason = error == nullptr ? place : error;
  }
  if (library == nullptr) {
    return fail(
        Code::unavailable,
        "training needs XGBoost's library ({}); install the package libxgboost-dev, or set "
        "WEIR_XGBOOST to the path of libxgboost.so",
        reason
    );
  }
  XgboostLibrary functions{};
  const char* missing = nullptr;
  const auto load = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::decay_t<decltype(function)>>(::dlsym(library, name));
    if (function == nullptr && missing == nullptr) missing = name;
  };
  load(functions.get_last_error, "XGBGetLastError");
  load(functions.version, "XGBoostVersion");
  load(functions.matrix_create, "XGDMatrixCreateFromMat");
  load(functions.matrix_set_floats, "XGDMatrixSetFloatInfo");
  load(functions.matrix_free, "XGDMatrixFree");
  load(functions.booster_create, "XGBoosterCreate");
  load(functions.booster_set, "XGBoosterSetParam");
  load(functions.booster_update, "XGBoosterUpdateOneIter");
  load(functions.booster_evaluate, "XGBoosterEvalOneIter");
  load(functions.booster_set_texts, "XGBoosterSetStrFeatureInfo");
  load(functions.booster_save, "XGBoosterSaveModel");
  load(functions.booster_free, "XGBoosterFree");
  if (missing != nullptr) {
    return fail(
        Code::unavailable, "the library found is not XGBoost 1.6 or newer: it has no {}", missing
    );
  }
  return functions;
}

}  // namespace weir::train
