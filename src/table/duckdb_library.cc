#include "table/duckdb_library.h"

#include <cstdlib>
#include <filesystem>
#include <vector>

#include <dlfcn.h>
#include <fmt/ranges.h>

namespace weir::table {
namespace {

// A path that someone named is the only one; otherwise every place is tried in turn.
std::vector<std::string> places(const std::string& path) {
  if (!path.empty()) return {path};
  // Nothing in a worker process changes the environment while this runs.
  if (const char* named = std::getenv("WEIR_DUCKDB"); named != nullptr && *named != '\0') {
    return {named};
  }
  std::vector<std::string> found = {WEIR_DUCKDB_LIBRARY};
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) {
    found.push_back((program.parent_path() / "../lib/libduckdb.so").lexically_normal().string());
  }
  found.emplace_back("libduckdb.so");
  return found;
}

}  // namespace

Result<DuckDb> load_duckdb(const std::string& path) {
  const std::vector<std::string> tried = places(path);
  void* library = nullptr;
  std::string used;
  for (const std::string& place : tried) {
    library = ::dlopen(place.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library != nullptr) {
      used = place;
      break;
    }
  }
  if (library == nullptr) {
    const char* reason = ::dlerror();
    return fail(
        Code::unavailable,
        "SQL and Parquet need libduckdb.so, which is in none of: {} (last: {}); run scripts/setup "
        "or set WEIR_DUCKDB to its path",
        fmt::join(tried, ", "),
        reason == nullptr ? "unknown" : reason
    );
  }
  DuckDb functions;
  const char* missing = nullptr;
  const auto load = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::decay_t<decltype(function)>>(::dlsym(library, name));
    if (function == nullptr && missing == nullptr) missing = name;
  };
#define WEIR_DUCKDB_LOAD(name) load(functions.name, "duckdb_" #name);
  WEIR_DUCKDB_FUNCTIONS(WEIR_DUCKDB_LOAD)
#undef WEIR_DUCKDB_LOAD
  if (missing != nullptr) {
    return fail(Code::unavailable, "'{}' is not DuckDB 1.4 or newer: it has no {}", used, missing);
  }
  return functions;
}

}  // namespace weir::table
