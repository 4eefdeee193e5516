#include "ledger/refill.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "ledger/views.h"
#include "tensor/columns.h"

namespace weir::ledger {
namespace {

using tensor::Columns;
using tensor::ColumnSpecs;
using tensor::DataType;

constexpr std::uint64_t batch_rows = 8'192;

// One endpoint and everything that a statement needs.
struct Reading {
  const Snapshot& snapshot;
  std::string_view endpoint;
  table::Worker& worker;
  const RefillOptions& options;

  Result<void> read(std::string sql, ColumnSpecs specs, const std::function<void(Columns&&)>& take)
      const {
    if (options.is_stopping()) return fail(Code::unavailable, "the server stops");
    TRY(worker.read_columns(
        {.sql = std::move(sql),
         .specs = std::make_shared<const ColumnSpecs>(std::move(specs)),
         .batch_rows = batch_rows},
        [&](Columns&& batch) -> Result<void> {
          if (options.is_stopping()) return fail(Code::unavailable, "the server stops");
          take(std::move(batch));
          return {};
        }
    ));
    return {};
  }

  // recorded_at of the oldest record that is wanted; nothing when there are not more than those.
  // One column of a large ledger is read first, so that the others are read of a part of it only.
  Result<std::optional<Moment>> oldest() const {
    std::optional<Moment> oldest;
    TRY(read(
        fmt::format(
            "SELECT epoch_us(recorded_at) AS t FROM ({}) ORDER BY recorded_at DESC LIMIT 1 "
            "OFFSET {}",
            select_all(snapshot, endpoint, "records"),
            options.records - 1
        ),
        {{"t", DataType::int64}},
        [&](Columns&& batch) {
          if (batch.rows() > 0) oldest = batch[0].values<Moment>()[0];
        }
    ));
    return oldest;
  }

  std::string since(std::optional<Moment> oldest) const {
    return oldest ? fmt::format("recorded_at >= make_timestamp({})", *oldest) : "true";
  }

  Result<std::size_t> put_records(FeedbackIndex& index, std::optional<Moment> oldest) const {
    std::size_t count = 0;
    TRY(read(
        fmt::format(
            "SELECT id, \"row\"::UINTEGER AS \"row\", epoch_us(recorded_at) AS recorded_at, "
            "version::UINTEGER AS version, arm, predicted FROM (SELECT id, \"row\", recorded_at, "
            "version, arm, predicted FROM ({}) WHERE {} ORDER BY recorded_at DESC LIMIT {}) "
            "ORDER BY recorded_at",
            select_all(snapshot, endpoint, "records"),
            since(oldest),
            options.records
        ),
        {{"id", DataType::bytes},
         {"row", DataType::uint32},
         {"recorded_at", DataType::int64},
         {"version", DataType::uint32},
         {"arm", DataType::bytes},
         {"predicted", DataType::bytes}},
        [&](Columns&& batch) {
          std::vector<IndexedPrediction> predictions;
          predictions.reserve(batch.rows());
          for (std::size_t i = 0; i < batch.rows(); ++i) {
            predictions.push_back(
                {.id = batch[0].text(i),
                 .row = batch[1].values<std::uint32_t>()[i],
                 .recorded_at = batch[2].values<Moment>()[i],
                 .version = batch[3].values<std::uint32_t>()[i],
                 .arm = batch[4].text(i),
                 .predicted = batch[5].text(i)}
            );
          }
          index.insert(predictions);
          count += predictions.size();
        }
    ));
    return count;
  }

  Result<void> apply_labels(FeedbackIndex& index, std::optional<Moment> oldest) const {
    return read(
        fmt::format(
            "SELECT id, \"row\"::UINTEGER AS \"row\", epoch_us(\"time\") AS \"time\", label "
            "FROM ({}) WHERE label IS NOT NULL AND {} ORDER BY recorded_at",
            select_all(snapshot, endpoint, "feedback"),
            since(oldest)
        ),
        {{"id", DataType::bytes},
         {"row", DataType::uint32},
         {"time", DataType::int64},
         {"label", DataType::bytes}},
        [&](Columns&& batch) {
          std::vector<Feedback> labels;
          labels.reserve(batch.rows());
          for (std::size_t i = 0; i < batch.rows(); ++i) {
            labels.push_back(
                {.id = std::string(batch[0].text(i)),
                 .row = batch[1].values<std::uint32_t>()[i],
                 .text = std::string(batch[3].text(i)),
                 .time = batch[2].values<Moment>()[i]}
            );
          }
          index.apply(labels);
        }
    );
  }
};

}  // namespace

Result<std::size_t> refill(
    FeedbackIndex& index,
    const Snapshot& snapshot,
    std::string_view endpoint,
    table::Worker& worker,
    const RefillOptions& options
) {
  if (options.records == 0) return std::size_t{0};
  const Reading reading{snapshot, endpoint, worker, options};
  const std::optional<Moment> oldest = TRY(reading.oldest());
  const std::size_t count = TRY(reading.put_records(index, oldest));
  if (count > 0) TRY(reading.apply_labels(index, oldest));
  return count;
}

}  // namespace weir::ledger
