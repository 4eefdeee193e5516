#pragma once

#include <string>

#include <duckdb.h>

#include "base/result.h"

// libduckdb, loaded when first needed and kept apart from the symbols of the program: it exports
// tens of thousands of names of its insides. Only what runs in the worker process includes this
// header; batch_reader.h, worker.h and table_file.h do not.

namespace weir::table {

// Every function of the C API that is used here.
#define WEIR_DUCKDB_FUNCTIONS(APPLY)                 \
  APPLY(create_config)                               \
  APPLY(set_config)                                  \
  APPLY(destroy_config)                              \
  APPLY(open_ext)                                    \
  APPLY(close)                                       \
  APPLY(connect)                                     \
  APPLY(disconnect)                                  \
  APPLY(interrupt)                                   \
  APPLY(free)                                        \
  APPLY(vector_size)                                 \
  APPLY(extract_statements)                          \
  APPLY(extract_statements_error)                    \
  APPLY(prepare_extracted_statement)                 \
  APPLY(destroy_extracted)                           \
  APPLY(prepare_error)                               \
  APPLY(prepared_statement_type)                     \
  APPLY(destroy_prepare)                             \
  APPLY(nparams)                                     \
  APPLY(execute_prepared_streaming)                  \
  APPLY(result_error)                                \
  APPLY(result_return_type)                          \
  APPLY(destroy_result)                              \
  APPLY(fetch_chunk)                                 \
  APPLY(rows_changed)                                \
  APPLY(column_count)                                \
  APPLY(column_name)                                 \
  APPLY(column_logical_type)                         \
  APPLY(get_type_id)                                 \
  APPLY(logical_type_get_alias)                      \
  APPLY(create_logical_type)                         \
  APPLY(create_list_type)                            \
  APPLY(destroy_logical_type)                        \
  APPLY(decimal_width)                               \
  APPLY(decimal_scale)                               \
  APPLY(decimal_internal_type)                       \
  APPLY(enum_internal_type)                          \
  APPLY(enum_dictionary_size)                        \
  APPLY(enum_dictionary_value)                       \
  APPLY(list_type_child_type)                        \
  APPLY(array_type_child_type)                       \
  APPLY(array_type_array_size)                       \
  APPLY(map_type_key_type)                           \
  APPLY(map_type_value_type)                         \
  APPLY(struct_type_child_count)                     \
  APPLY(struct_type_child_name)                      \
  APPLY(struct_type_child_type)                      \
  APPLY(union_type_member_count)                     \
  APPLY(union_type_member_name)                      \
  APPLY(union_type_member_type)                      \
  APPLY(destroy_data_chunk)                          \
  APPLY(data_chunk_get_column_count)                 \
  APPLY(data_chunk_get_vector)                       \
  APPLY(data_chunk_get_size)                         \
  APPLY(data_chunk_set_size)                         \
  APPLY(vector_get_data)                             \
  APPLY(vector_get_validity)                         \
  APPLY(vector_ensure_validity_writable)             \
  APPLY(vector_assign_string_element_len)            \
  APPLY(list_vector_get_child)                       \
  APPLY(list_vector_get_size)                        \
  APPLY(list_vector_reserve)                         \
  APPLY(list_vector_set_size)                        \
  APPLY(array_vector_get_child)                      \
  APPLY(struct_vector_get_child)                     \
  APPLY(create_table_function)                       \
  APPLY(destroy_table_function)                      \
  APPLY(table_function_set_name)                     \
  APPLY(table_function_add_parameter)                \
  APPLY(table_function_set_extra_info)               \
  APPLY(table_function_set_bind)                     \
  APPLY(table_function_set_init)                     \
  APPLY(table_function_set_function)                 \
  APPLY(table_function_supports_projection_pushdown) \
  APPLY(register_table_function)                     \
  APPLY(bind_get_extra_info)                         \
  APPLY(bind_get_parameter)                          \
  APPLY(bind_add_result_column)                      \
  APPLY(bind_set_bind_data)                          \
  APPLY(bind_set_error)                              \
  APPLY(init_get_extra_info)                         \
  APPLY(init_get_bind_data)                          \
  APPLY(init_set_init_data)                          \
  APPLY(init_get_column_count)                       \
  APPLY(init_get_column_index)                       \
  APPLY(init_set_max_threads)                        \
  APPLY(init_set_error)                              \
  APPLY(function_get_extra_info)                     \
  APPLY(function_get_init_data)                      \
  APPLY(function_set_error)                          \
  APPLY(get_list_size)                               \
  APPLY(get_list_child)                              \
  APPLY(get_varchar)                                 \
  APPLY(is_null_value)                               \
  APPLY(destroy_value)

// The loaded functions, without their prefix "duckdb_". Immutable, and never unloaded.
struct DuckDb {
#define WEIR_DUCKDB_MEMBER(name) decltype(&duckdb_##name) name = nullptr;
  WEIR_DUCKDB_FUNCTIONS(WEIR_DUCKDB_MEMBER)
#undef WEIR_DUCKDB_MEMBER
};

// Loads the library from the first of these that is given or exists: `path`, the environment
// variable WEIR_DUCKDB, the path known when this program was built, ../lib beside the program,
// the system's libduckdb.so.
Result<DuckDb> load_duckdb(const std::string& path);

}  // namespace weir::table
