#include "events/cloud_event.h"

#include <cstring>
#include <string_view>

#include "protocol/json_writer.h"

namespace weir::events {

using protocol::JsonWriter;
using serve::RecordLayout;
using tensor::Column;
using tensor::Columns;
using tensor::DataType;

namespace {

// Places of the fixed columns of a record (ledger/record.h).
enum HeadColumn : std::size_t {
  id_column = 0,
  recorded_at_column = 3,
  arm_column = 5,
  error_column = 13,
  decision_column = 14,
  latency_column = 17,
};

std::string_view text_of(const Columns& records, HeadColumn column, std::size_t row) {
  return records[column].is_null(row) ? std::string_view() : records[column].text(row);
}

void write_value(const Column& column, std::size_t row, JsonWriter& writer) {
  if (column.is_null(row)) {
    writer.null();
  } else if (column.spec().datatype == DataType::bytes) {
    writer.value(column.text(row));
  } else {
    tensor::visit(column.spec().datatype, [&](auto element) {
      writer.value(column.values<decltype(element)>()[row]);
    });
  }
}

// The elements of a list column, whose bytes need not be aligned.
std::size_t write_list(const Column& column, std::size_t row, JsonWriter& writer) {
  const std::string_view bytes = column.text(row);
  std::size_t count = 0;
  tensor::visit(column.spec().datatype, [&](auto element) {
    count = bytes.size() / sizeof(element);
    for (std::size_t i = 0; i < count; ++i) {
      std::memcpy(&element, bytes.data() + i * sizeof(element), sizeof(element));
      writer.value(element);
    }
  });
  return count;
}

// The shape of so many elements, as far as the signature leaves it open.
tensor::Shape shape_of(
    const model::TensorSpec& spec, bool has_row_axis, std::size_t rows, std::size_t elements
) {
  tensor::Shape shape = spec.shape;
  if (has_row_axis) shape.set(0, static_cast<std::int64_t>(rows));
  std::int64_t known = 1;
  std::size_t open_axis = shape.rank();
  for (std::size_t axis = 0; axis < shape.rank(); ++axis) {
    if (shape[axis] < 0 && open_axis == shape.rank()) {
      open_axis = axis;
    } else if (shape[axis] < 0) {
      shape.set(axis, 1);
    }
    if (shape[axis] > 0) known *= shape[axis];
  }
  if (open_axis < shape.rank()) {
    shape.set(open_axis, static_cast<std::int64_t>(elements) / known);
  }
  return shape;
}

}  // namespace

// Writes one tensor from the columns that hold its elements.
class TensorWriter {
 public:
  TensorWriter(const RecordReader& reader, const Columns& records, JsonWriter& writer)
      : reader_(reader), records_(records), writer_(writer) {}

  void write(RecordLayout::Side side, std::size_t index, std::size_t begin, std::size_t end) {
    const model::Signature& signature = reader_.signature_;
    const bool is_input = side == RecordLayout::Side::input;
    const model::TensorSpec& spec = is_input ? signature.inputs[index] : signature.outputs[index];
    std::vector<std::size_t> columns;  // By element; those that are not kept have none.
    bool is_list = false;
    for (std::size_t i = 0; i < reader_.sources_.size(); ++i) {
      const RecordLayout::Source& source = reader_.sources_[i];
      if (source.side != side || source.tensor != index) continue;
      is_list = source.is_list;
      if (columns.size() <= source.element) columns.resize(source.element + 1, none);
      columns[source.element] = reader_.first_source_ + i;
    }
    fill_up(spec, columns);
    writer_.begin_object();
    writer_.member("name", spec.name);
    writer_.member("datatype", tensor::to_string(spec.datatype));
    writer_.key("data");
    writer_.begin_array();
    std::size_t elements = 0;
    for (std::size_t row = begin; row < end; ++row) {
      for (const std::size_t column : columns) {
        if (is_list) {
          elements += write_list(records_[column], row, writer_);
          continue;
        }
        ++elements;
        column == none ? writer_.null() : write_value(records_[column], row, writer_);
      }
    }
    writer_.end_array();
    writer_.key("shape");
    writer_.begin_array();
    const tensor::Shape shape = shape_of(spec, signature.has_row_axis, end - begin, elements);
    for (const std::int64_t size : shape.dimensions()) writer_.value(size);
    writer_.end_array();
    writer_.end_object();
  }

 private:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);

  // The last elements may be among those that are not kept.
  void fill_up(const model::TensorSpec& spec, std::vector<std::size_t>& columns) const {
    std::size_t product = 1;
    for (std::size_t axis = reader_.signature_.has_row_axis ? 1 : 0; axis < spec.shape.rank();
         ++axis) {
      if (spec.shape[axis] < 0) return;
      product *= static_cast<std::size_t>(spec.shape[axis]);
    }
    if (product <= model::Signature::max_features_per_input && columns.size() < product) {
      columns.resize(product, none);
    }
  }

  const RecordReader& reader_;
  const Columns& records_;
  JsonWriter& writer_;
};

RecordReader::RecordReader(const serve::Version& version)
    : endpoint_(version.endpoint()),
      version_(version.number_text()),
      signature_(version.signature()),
      metadata_(version.layout().metadata().begin(), version.layout().metadata().end()),
      sources_(version.layout().sources().begin(), version.layout().sources().end()),
      first_source_(version.layout().specs()->size() - sources_.size()) {}

std::size_t RecordReader::end_of_request(const Columns& records, std::size_t begin) {
  const auto rows = records[1].values<std::uint32_t>();
  std::size_t end = begin + 1;
  // The rows of a request lie side by side and count from 0.
  while (end < records.rows() && rows[end] != 0) ++end;
  return end;
}

bool RecordReader::is_answer(const Columns& records, std::size_t row) {
  return text_of(records, arm_column, row) != "shadow";
}

std::string RecordReader::request_body(const Columns& records, std::size_t begin, std::size_t end)
    const {
  std::string body;
  JsonWriter writer(body);
  writer.begin_object();
  writer.member("id", text_of(records, id_column, begin));
  writer.key("inputs");
  writer.begin_array();
  TensorWriter tensors(*this, records, writer);
  for (std::size_t i = 0; i < signature_.inputs.size(); ++i) {
    tensors.write(RecordLayout::Side::input, i, begin, end);
  }
  writer.end_array();
  writer.end_object();
  return body;
}

std::string RecordReader::response_body(const Columns& records, std::size_t begin, std::size_t end)
    const {
  std::string body;
  JsonWriter writer(body);
  writer.begin_object();
  writer.member("id", text_of(records, id_column, begin));
  writer.member("model_name", endpoint_);
  writer.member("model_version", version_);
  if (const std::string_view error = text_of(records, error_column, begin); !error.empty()) {
    writer.member("error", error);
    writer.end_object();
    return body;
  }
  writer.key("outputs");
  writer.begin_array();
  TensorWriter tensors(*this, records, writer);
  for (std::size_t i = 0; i < signature_.outputs.size(); ++i) {
    tensors.write(RecordLayout::Side::output, i, begin, end);
  }
  writer.end_array();
  writer.end_object();
  return body;
}

RecordReader::Headers RecordReader::headers(const Columns& records, std::size_t row) const {
  const std::string_view arm = text_of(records, arm_column, row);
  Headers headers{
      {"ce-specversion", "1.0"},
      {"ce-id", header_value(text_of(records, id_column, row))},
      {"ce-inferenceservicename", header_value(endpoint_)},
      {"ce-component", "predictor"},
      {"ce-endpoint", arm == "candidate" ? "canary" : "default"},
      {"ce-weirversion", version_},
      {"ce-weirarm", std::string(arm)},
  };
  const std::string_view error = text_of(records, error_column, row);
  if (error.empty()) {
    headers.emplace_back("ce-weirdecision", text_of(records, decision_column, row));
  } else {
    headers.emplace_back("ce-weirerror", header_value(error));
  }
  std::string metadata;
  JsonWriter writer(metadata);
  writer.begin_object();
  bool is_any = false;
  for (std::size_t i = 0; i < metadata_.size(); ++i) {
    const Column& column = records[first_source_ - metadata_.size() + i];
    if (column.is_null(row)) continue;
    is_any = true;
    writer.key(metadata_[i]);
    writer.begin_array();
    writer.value(column.text(row));
    writer.end_array();
  }
  writer.end_object();
  if (is_any) headers.emplace_back("ce-metadata", header_value(metadata));
  return headers;
}

std::pair<Moment, Moment> RecordReader::times(const Columns& records, std::size_t row) {
  const Moment arrived = records[recorded_at_column].values<std::int64_t>()[row];
  const double latency_us = records[latency_column].values<double>()[row];
  return {arrived, arrived + static_cast<Moment>(latency_us)};
}

std::string header_value(std::string_view text) {
  std::string value;
  for (const char letter : text) {
    const auto code = static_cast<unsigned char>(letter);
    const bool is_plain = code > 0x20 && code < 0x7F && letter != '"' && letter != '%';
    value += is_plain ? std::string(1, letter) : fmt::format("%{:02X}", code);
  }
  return value;
}

}  // namespace weir::events
