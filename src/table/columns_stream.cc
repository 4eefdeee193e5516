#include "table/columns_stream.h"

#include "table/column_copy.h"
#include "table/columns_packet.h"

namespace weir::table {

Result<void> ColumnsReader::check(duckdb_result& result) const {
  const idx_t width = library_.column_count(&result);
  if (width != specs_->size()) {
    return fail(
        Code::internal, "the statement gives {} columns instead of {}", width, specs_->size()
    );
  }
  for (idx_t i = 0; i < width; ++i) {
    duckdb_logical_type type = library_.column_logical_type(&result, i);
    const Result<void> checked = check_type(library_, type, (*specs_)[i]);
    library_.destroy_logical_type(&type);
    TRY(checked);
  }
  return {};
}

void ColumnsReader::append(
    duckdb_data_chunk chunk, idx_t begin, idx_t count, tensor::Columns& columns
) const {
  for (std::size_t i = 0; i < columns.width(); ++i) {
    append_vector(library_, library_.data_chunk_get_vector(chunk, i), begin, count, columns[i]);
  }
}

class IncomingColumns::Reader final : public BatchReader {
 public:
  explicit Reader(IncomingColumns& incoming) : incoming_(incoming), batch_(incoming.specs_) {}

  Result<std::shared_ptr<const tensor::ColumnSpecs>> specs() override { return incoming_.specs_; }

  Result<const tensor::Columns*> next() override {
    return TRY(incoming_.receive(batch_)) ? &batch_ : nullptr;
  }

 private:
  IncomingColumns& incoming_;
  tensor::Columns batch_;
};

Result<std::unique_ptr<BatchReader>> IncomingColumns::reader() {
  if (specs_ == nullptr) {
    Packet packet = TRY(receive_packet(socket_, {0, max_bytes_}));
    specs_ = std::make_shared<const tensor::ColumnSpecs>(TRY(take_specs(packet)));
  }
  return std::make_unique<Reader>(*this);
}

Result<bool> IncomingColumns::receive(tensor::Columns& batch) {
  if (is_over_) return false;
  Packet packet = TRY(receive_packet(socket_, {0, max_bytes_}));
  is_over_ = packet.kind() == PacketKind::done;
  if (is_over_) return false;
  TRY(take_columns(packet, batch));
  return true;
}

Result<void> IncomingColumns::drain() {
  while (!is_over_) {
    const Packet packet = TRY(receive_packet(socket_, {0, max_bytes_}));
    is_over_ = packet.kind() == PacketKind::done;
  }
  return {};
}

}  // namespace weir::table
