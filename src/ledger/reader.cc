#include "ledger/reader.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <numeric>
#include <optional>
#include <vector>

#include "ledger/blocks.h"
#include "ledger/feedback.h"
#include "ledger/format.h"
#include "ledger/record.h"
#include "ledger/widen.h"

namespace weir::ledger {
namespace {

// Blocks are put together until a batch has about this much: a block of a quiet second has a few
// rows, and each batch has a price of its own.
constexpr std::size_t batch_rows = 2'048;
constexpr std::size_t batch_bytes = 16U << 20;

std::string lower(std::string_view name) {
  std::string text(name);
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return text;
}

// Columns by name, each of the type that holds all that was seen of it.
class Union {
 public:
  void add(const tensor::ColumnSpecs& specs) {
    for (const tensor::ColumnSpec& spec : specs) {
      const auto [found, is_new] = positions_.try_emplace(lower(spec.name), specs_.size());
      if (is_new) {
        specs_.push_back(spec);
      } else {
        specs_[found->second] = widen(specs_[found->second], spec);
      }
    }
  }
  std::optional<std::size_t> position(std::string_view name) const {
    const auto found = positions_.find(lower(name));
    return found == positions_.end() ? std::nullopt : std::optional(found->second);
  }
  const tensor::ColumnSpecs& specs() const { return specs_; }

 private:
  tensor::ColumnSpecs specs_;
  std::map<std::string, std::size_t, std::less<>> positions_;
};

// Opens a segment; nothing when there is none that can be read.
Result<std::optional<Blocks>> open_blocks(const std::string& path) {
  auto blocks = Blocks::open(path);
  if (blocks) return std::optional<Blocks>(std::move(*blocks));
  const Code code = blocks.error().code;
  if (code == Code::not_found || code == Code::corrupt) return std::optional<Blocks>();
  return tl::unexpected(blocks.error());
}

// What `kind` asks for.
struct Wanted {
  bool is_records = false;
  Moment first = INT64_MIN;
  Moment last = INT64_MAX;
};

std::optional<Wanted> parse_kind(std::string_view kind) {
  Wanted wanted;
  const std::size_t at = kind.find('@');
  const std::string_view name = kind.substr(0, at);
  wanted.is_records = name == "records";
  if (!wanted.is_records && name != "feedback") return std::nullopt;
  if (at == std::string_view::npos) return wanted;
  const char* const end = kind.data() + kind.size();
  const auto first = std::from_chars(kind.data() + at + 1, end, wanted.first);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != ',') return std::nullopt;
  const auto last = std::from_chars(first.ptr + 1, end, wanted.last);
  if (last.ec != std::errc() || last.ptr != end) return std::nullopt;
  return wanted;
}

class SegmentsReader final : public table::BatchReader {
 public:
  SegmentsReader(
      std::span<const std::string> paths, std::string_view endpoint, const Wanted& wanted
  )
      : paths_(paths.begin(), paths.end()), endpoint_(endpoint), wanted_(wanted) {}

  // Goes over the headers of all blocks once: the columns must be known before the first row.
  Result<void> find_columns(const tensor::ColumnSpecs& fixed) {
    union_.add(fixed);
    for (const std::string& path : paths_) {
      auto blocks = TRY(open_blocks(path));
      if (!blocks) continue;
      while (const BlockHeader* header = TRY(blocks->next())) {
        if (header->type != BlockType::schema) continue;
        const auto payload = TRY(blocks->payload());
        if (!payload) continue;
        const auto schema = decode_schema(*payload);
        if (schema && schema->endpoint == endpoint_) union_.add(*schema->specs);
      }
    }
    specs_ = std::make_shared<const tensor::ColumnSpecs>(union_.specs());
    columns_.emplace(specs_);
    places_.resize(specs_->size());
    std::iota(places_.begin(), places_.end(), std::size_t{0});
    return {};
  }

  Result<std::shared_ptr<const tensor::ColumnSpecs>> specs() override { return specs_; }

  bool project(std::span<const std::size_t> columns) override {
    places_.assign(columns.begin(), columns.end());
    tensor::ColumnSpecs projected;
    for (const std::size_t place : places_) projected.push_back((*specs_)[place]);
    columns_.emplace(std::make_shared<const tensor::ColumnSpecs>(std::move(projected)));
    return true;
  }

  Result<const tensor::Columns*> next() override {
    columns_->clear();
    while (columns_->rows() < batch_rows && columns_->size_bytes() < batch_bytes) {
      if (!blocks_ && !TRY(next_file())) break;
      const BlockHeader* header = TRY(blocks_->next());
      if (header == nullptr) {
        blocks_.reset();
        continue;
      }
      if (header->type == BlockType::schema) {
        TRY(read_schema(*header));
      } else if (header->type == BlockType::rows) {
        TRY(read_rows(*header));
      }
    }
    return columns_->rows() == 0 ? nullptr : &*columns_;
  }

 private:
  // A schema of our endpoint, and where its columns go.
  struct OpenSchema {
    std::shared_ptr<const tensor::ColumnSpecs> specs;
    std::vector<std::optional<std::size_t>> targets;  // Of each column of ours: the one in specs.
  };

  Result<bool> next_file() {
    schemas_.clear();
    while (next_path_ < paths_.size()) {
      blocks_ = TRY(open_blocks(paths_[next_path_++]));
      if (blocks_) return true;
    }
    return false;
  }

  Result<void> read_schema(const BlockHeader& header) {
    const auto payload = TRY(blocks_->payload());
    if (!payload) return {};
    auto schema = decode_schema(*payload);
    if (!schema || schema->endpoint != endpoint_) return {};
    OpenSchema open{schema->specs, {}};
    open.targets.resize(specs_->size());
    for (std::size_t i = 0; i < schema->specs->size(); ++i) {
      const auto position = union_.position((*schema->specs)[i].name);
      // A schema that was appended since find_columns: its new columns are seen by the next reader.
      if (!position || !fits((*schema->specs)[i], (*specs_)[*position])) continue;
      open.targets[*position] = i;
    }
    schemas_[header.schema] = std::move(open);
    return {};
  }

  static bool fits(const tensor::ColumnSpec& from, const tensor::ColumnSpec& to) {
    const tensor::ColumnSpec both = widen(to, from);
    return both.datatype == to.datatype && both.is_list == to.is_list;
  }

  Result<void> read_rows(const BlockHeader& header) {
    if (header.max_time < wanted_.first || header.min_time > wanted_.last) return {};
    const auto found = schemas_.find(header.schema);
    if (found == schemas_.end()) return {};  // Of another endpoint, or its schema is damaged.
    const auto payload = TRY(blocks_->payload());
    if (!payload) return {};
    const tensor::ColumnSpecs& from = *found->second.specs;
    const auto chunks = decode_rows(*payload, header.rows, from);
    if (!chunks) return {};
    for (std::size_t i = 0; i < places_.size(); ++i) {
      const auto source = found->second.targets[places_[i]];
      if (source) {
        append_chunk((*chunks)[*source], from[*source], header.rows, (*columns_)[i]);
      } else {
        for (std::uint32_t row = 0; row < header.rows; ++row) (*columns_)[i].add_null();
      }
    }
    return {};
  }

  std::vector<std::string> paths_;
  std::string endpoint_;
  Wanted wanted_;
  Union union_;
  std::shared_ptr<const tensor::ColumnSpecs> specs_;
  std::vector<std::size_t> places_;  // In specs_, of the columns that are given.
  std::optional<tensor::Columns> columns_;
  std::size_t next_path_ = 0;
  std::optional<Blocks> blocks_;
  std::map<std::uint16_t, OpenSchema> schemas_;
};

}  // namespace

Result<std::unique_ptr<table::BatchReader>> open_segments(
    std::span<const std::string> paths, std::string_view endpoint, std::string_view kind
) {
  const auto wanted = parse_kind(kind);
  if (!wanted) {
    return fail(Code::invalid_argument, "segments hold 'records' and 'feedback', not '{}'", kind);
  }
  auto reader = std::make_unique<SegmentsReader>(paths, endpoint, *wanted);
  const tensor::ColumnSpecs fixed =
      wanted->is_records ? tensor::ColumnSpecs(head_specs().begin(), head_specs().end())
                         : *feedback_specs();
  TRY(reader->find_columns(fixed));
  return reader;
}

}  // namespace weir::ledger
