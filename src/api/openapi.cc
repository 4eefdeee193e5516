#include "api/openapi.h"

namespace weir::api {

// The text of openapi.json, put into the program by CMake.
extern const std::string_view openapi_text;

std::string_view openapi_document() {
  return openapi_text;
}

}  // namespace weir::api
