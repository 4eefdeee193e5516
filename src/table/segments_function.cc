#include "table/segments_function.h"

#include <algorithm>
#include <exception>
#include <limits>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "table/column_copy.h"

namespace weir::table {
namespace {

// What one use of the function in a statement reads. Scans of a statement that runs again, or of
// both sides of a self join, each need a reader; the first takes the one that told the columns.
class SegmentsBind {
 public:
  explicit SegmentsBind(const SegmentAccess& access) : access_(access) {}

  Result<void> open(duckdb_bind_info info) {
    TRY(take_parameters(info));
    for (const std::string& path : paths_) {
      if (!access_.readable.allows(path)) {
        return fail(Code::invalid_argument, "'{}' may not be read by this statement", path);
      }
    }
    first_ = TRY(access_.open(paths_, endpoint_, kind_));
    specs_ = TRY(first_->specs());
    for (const tensor::ColumnSpec& spec : *specs_) {
      duckdb_logical_type type = make_logical_type(access_.library, spec);
      access_.library.bind_add_result_column(info, spec.name.c_str(), type);
      access_.library.destroy_logical_type(&type);
    }
    return {};
  }

  // Called by every scan, possibly at the same time.
  Result<std::unique_ptr<BatchReader>> reader() {
    {
      const std::lock_guard lock(mutex_);
      if (first_ != nullptr) return std::move(first_);
    }
    std::unique_ptr<BatchReader> reader = TRY(access_.open(paths_, endpoint_, kind_));
    if (*TRY(reader->specs()) != *specs_) {
      return fail(Code::unavailable, "the columns changed while the statement began; repeat it");
    }
    return reader;
  }

  const tensor::ColumnSpecs& specs() const { return *specs_; }

 private:
  Result<std::string> text_of(duckdb_value value) {
    const DuckDb& library = access_.library;
    if (value == nullptr || library.is_null_value(value)) {
      return fail(Code::invalid_argument, "weir_segments: an argument is NULL");
    }
    char* text = library.get_varchar(value);
    std::string copy = text == nullptr ? "" : text;
    library.free(text);
    return copy;
  }

  Result<void> take_parameters(duckdb_bind_info info) {
    const DuckDb& library = access_.library;
    std::vector<duckdb_value> values;
    for (idx_t i = 0; i < 3; ++i) values.push_back(library.bind_get_parameter(info, i));
    Result<void> taken = {};
    const auto keep = [&](Result<std::string> text, std::string& target) {
      if (text) {
        target = std::move(*text);
      } else if (taken) {
        taken = tl::unexpected(text.error());
      }
    };
    const bool has_paths = !library.is_null_value(values[0]);
    for (idx_t i = 0; has_paths && i < library.get_list_size(values[0]); ++i) {
      duckdb_value child = library.get_list_child(values[0], i);
      keep(text_of(child), paths_.emplace_back());
      library.destroy_value(&child);
    }
    keep(text_of(values[1]), endpoint_);
    keep(text_of(values[2]), kind_);
    for (duckdb_value& value : values) library.destroy_value(&value);
    return taken;
  }

  const SegmentAccess& access_;
  std::vector<std::string> paths_;
  std::string endpoint_;
  std::string kind_;
  std::shared_ptr<const tensor::ColumnSpecs> specs_;
  std::mutex mutex_;
  std::unique_ptr<BatchReader> first_;
};

// One pass over the batches, by one thread of the database.
class SegmentsScan {
 public:
  SegmentsScan(
      const DuckDb& library, std::unique_ptr<BatchReader> reader, const tensor::ColumnSpecs& specs
  )
      : library_(library), reader_(std::move(reader)), width_(specs.size()) {
    // Something that counts the rows when no column is asked for: no text where there is a number.
    for (std::size_t i = specs.size(); i-- > 0;) {
      if (!specs[i].is_list && specs[i].datatype != tensor::DataType::bytes) smallest_ = i;
    }
  }

  // Which columns the chunks have. Once, before the first `fill`.
  void project(std::vector<idx_t> columns) {
    projected_ = std::move(columns);
    std::vector<std::size_t> wanted;
    for (const idx_t column : projected_) {
      // A count of rows alone asks for a column that does not exist; its values do not matter.
      if (column < width_) wanted.push_back(column);
    }
    if (wanted.empty()) wanted.push_back(smallest_);
    if (!reader_->project(wanted)) return;
    idx_t place = 0;
    for (idx_t& column : projected_) column = column < width_ ? place++ : no_column;
  }

  // Fills the chunk; with no rows at the end.
  Result<void> fill(duckdb_data_chunk chunk) {
    while (batch_ == nullptr || row_ == batch_->rows()) {
      batch_ = TRY(reader_->next());
      row_ = 0;
      if (batch_ == nullptr) {
        library_.data_chunk_set_size(chunk, 0);
        return {};
      }
    }
    const std::size_t count = std::min<std::size_t>(batch_->rows() - row_, library_.vector_size());
    for (std::size_t i = 0; i < projected_.size(); ++i) {
      if (projected_[i] >= batch_->width()) continue;
      const tensor::Column& column = (*batch_)[projected_[i]];
      copy_column(library_, column, row_, count, library_.data_chunk_get_vector(chunk, i));
    }
    library_.data_chunk_set_size(chunk, count);
    row_ += count;
    return {};
  }

 private:
  static constexpr idx_t no_column = std::numeric_limits<idx_t>::max();
  const DuckDb& library_;
  std::unique_ptr<BatchReader> reader_;
  const std::size_t width_;
  std::size_t smallest_ = 0;
  std::vector<idx_t> projected_;
  const tensor::Columns* batch_ = nullptr;
  std::size_t row_ = 0;
};

// No exception may pass through the database's C interface.
template <class Work>
Result<void> guarded(Work&& work) {
  try {
    return work();
  } catch (const std::exception& error) {
    return fail(Code::exhausted, "reading segments failed: {}", error.what());
  }
}

template <class T>
void destroy(void* pointer) {
  delete static_cast<T*>(pointer);
}

// The callbacks have no argument of ours that is known before they ask for it, so the library's
// functions come from here; it is loaded once for the whole process.
const DuckDb* callback_library = nullptr;

void bind(duckdb_bind_info info) {
  const DuckDb& library = *callback_library;
  const auto* access = static_cast<const SegmentAccess*>(library.bind_get_extra_info(info));
  const Result<void> done = guarded([&]() -> Result<void> {
    auto data = std::make_unique<SegmentsBind>(*access);
    TRY(data->open(info));
    library.bind_set_bind_data(info, data.release(), destroy<SegmentsBind>);
    return {};
  });
  if (!done) library.bind_set_error(info, done.error().message.c_str());
}

void init(duckdb_init_info info) {
  const DuckDb& library = *callback_library;
  auto* data = static_cast<SegmentsBind*>(library.init_get_bind_data(info));
  const Result<void> done = guarded([&]() -> Result<void> {
    auto reader = TRY(data->reader());
    auto scan = std::make_unique<SegmentsScan>(library, std::move(reader), data->specs());
    std::vector<idx_t> columns;
    for (idx_t i = 0; i < library.init_get_column_count(info); ++i) {
      columns.push_back(library.init_get_column_index(info, i));
    }
    scan->project(std::move(columns));
    library.init_set_max_threads(info, 1);
    library.init_set_init_data(info, scan.release(), destroy<SegmentsScan>);
    return {};
  });
  if (!done) library.init_set_error(info, done.error().message.c_str());
}

void scan(duckdb_function_info info, duckdb_data_chunk chunk) {
  const DuckDb& library = *callback_library;
  auto* data = static_cast<SegmentsScan*>(library.function_get_init_data(info));
  const Result<void> done = guarded([&] { return data->fill(chunk); });
  if (!done) library.function_set_error(info, done.error().message.c_str());
}

}  // namespace

Result<void> register_segments(duckdb_connection connection, const SegmentAccess& access) {
  const DuckDb& library = access.library;
  callback_library = &library;
  duckdb_table_function function = library.create_table_function();
  library.table_function_set_name(function, "weir_segments");
  duckdb_logical_type text = library.create_logical_type(DUCKDB_TYPE_VARCHAR);
  duckdb_logical_type list = library.create_list_type(text);
  library.table_function_add_parameter(function, list);
  library.table_function_add_parameter(function, text);
  library.table_function_add_parameter(function, text);
  library.destroy_logical_type(&list);
  library.destroy_logical_type(&text);
  // The database keeps the pointer only; access outlives it.
  library.table_function_set_extra_info(function, const_cast<SegmentAccess*>(&access), nullptr);
  library.table_function_set_bind(function, bind);
  library.table_function_set_init(function, init);
  library.table_function_set_function(function, scan);
  library.table_function_supports_projection_pushdown(function, true);
  const duckdb_state state = library.register_table_function(connection, function);
  library.destroy_table_function(&function);
  if (state != DuckDBSuccess) return fail(Code::internal, "weir_segments cannot be registered");
  return {};
}

}  // namespace weir::table
