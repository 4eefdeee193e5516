# Finds DuckDB's C header and library: the system's own first, else the pinned pair that
# scripts/setup put under WEIR_DEPS_DIR. Defines DuckDB::headers. Nothing links the library: it is
# loaded at run time, in worker processes only (src/table), and the compile definition
# WEIR_DUCKDB_LIBRARY is the path that is tried after the system's own.
find_path(DuckDB_INCLUDE_DIR duckdb.h PATHS "${WEIR_DEPS_DIR}/duckdb/include")
find_library(DuckDB_LIBRARY duckdb PATHS "${WEIR_DEPS_DIR}/duckdb/lib")
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(DuckDB
  REQUIRED_VARS DuckDB_LIBRARY DuckDB_INCLUDE_DIR
  REASON_FAILURE_MESSAGE "run scripts/setup, which fetches it into ${WEIR_DEPS_DIR}")
if(DuckDB_FOUND AND NOT TARGET DuckDB::headers)
  add_library(DuckDB::headers INTERFACE IMPORTED)
  target_include_directories(DuckDB::headers SYSTEM INTERFACE "${DuckDB_INCLUDE_DIR}")
  target_compile_definitions(DuckDB::headers INTERFACE WEIR_DUCKDB_LIBRARY="${DuckDB_LIBRARY}")
endif()
mark_as_advanced(DuckDB_INCLUDE_DIR DuckDB_LIBRARY)
