# Finds the C header of DuckDB: a system one first, else the pinned one under WEIR_DEPS_DIR.
# Defines DuckDB::headers. The library itself is loaded at run time, in worker processes only
# (src/table/duckdb_library.cc); DuckDB_LIBRARY is the path that is tried after the system's own.
find_path(DuckDB_INCLUDE_DIR duckdb.h HINTS "${WEIR_DEPS_DIR}/duckdb/include")
find_library(DuckDB_LIBRARY duckdb HINTS "${WEIR_DEPS_DIR}/duckdb/lib")
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(DuckDB REQUIRED_VARS DuckDB_LIBRARY DuckDB_INCLUDE_DIR)
if(DuckDB_FOUND AND NOT TARGET DuckDB::headers)
  add_library(DuckDB::headers INTERFACE IMPORTED)
  target_include_directories(DuckDB::headers SYSTEM INTERFACE "${DuckDB_INCLUDE_DIR}")
  target_compile_definitions(DuckDB::headers INTERFACE WEIR_DUCKDB_LIBRARY="${DuckDB_LIBRARY}")
endif()
mark_as_advanced(DuckDB_INCLUDE_DIR DuckDB_LIBRARY)
