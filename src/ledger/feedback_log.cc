#include "ledger/feedback_log.h"

#include <map>
#include <utility>

namespace weir::ledger {
namespace {

// A block takes no more, so that a large upload stays far below the limits of a block.
constexpr std::size_t rows_per_block = 65'536;
constexpr std::size_t bytes_per_block = 16U << 20;

Result<void> append_rows(
    SegmentLog& log, std::string_view endpoint, std::span<const Feedback> feedback
) {
  tensor::Columns columns(feedback_specs());
  std::size_t bytes = 0;
  for (const Feedback& one : feedback) {
    append_feedback_row(columns, one);
    bytes += one.id.size() + one.text.size();
    if (columns.rows() < rows_per_block && bytes < bytes_per_block) continue;
    TRY(log.append(endpoint, columns));
    columns.clear();
    bytes = 0;
  }
  if (columns.rows() > 0) TRY(log.append(endpoint, columns));
  return {};
}

}  // namespace

FeedbackLog::FeedbackLog(SegmentLog& log, std::size_t max_waiting)
    : log_(log), max_waiting_(max_waiting), thread_([this] { run(); }) {}

FeedbackLog::~FeedbackLog() {
  {
    const std::scoped_lock lock(mutex_);
    is_stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void FeedbackLog::append(std::string_view endpoint, std::vector<Feedback> feedback, Done done) {
  {
    const std::scoped_lock lock(mutex_);
    if (waiting_rows_ + feedback.size() <= max_waiting_ && !is_stopping_) {
      waiting_rows_ += feedback.size();
      queue_.push_back({std::string(endpoint), std::move(feedback), std::move(done)});
      wake_.notify_one();
      return;
    }
    counts_.errors += feedback.size();
  }
  done(fail(
      Code::exhausted,
      "{} rows of feedback do not fit beside those that wait for the disk, at most {} may; send "
      "them again later, or in smaller parts",
      feedback.size(),
      max_waiting_
  ));
}

void FeedbackLog::run() {
  for (;;) {
    std::vector<Waiting> batch;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return is_stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      batch = std::exchange(queue_, {});
    }
    write(std::move(batch));
  }
}

void FeedbackLog::write(std::vector<Waiting> batch) {
  // One block for each endpoint; when it fails, it fails for all who are in it.
  std::map<std::string, std::vector<Feedback>> rows;
  for (const Waiting& waiting : batch) {
    auto& all = rows[waiting.endpoint];
    all.insert(all.end(), waiting.feedback.begin(), waiting.feedback.end());
  }
  std::map<std::string, Result<void>> results;
  for (const auto& [endpoint, feedback] : rows) {
    results[endpoint] = append_rows(log_, endpoint, feedback);
  }
  const Result<void> synced = log_.sync();
  Counts counts;
  std::size_t count = 0;
  for (const Waiting& waiting : batch) {
    const bool is_written = results[waiting.endpoint] && synced;
    (is_written ? counts.written : counts.errors) += waiting.feedback.size();
    count += waiting.feedback.size();
  }
  {
    const std::scoped_lock lock(mutex_);
    waiting_rows_ -= count;
    counts_.written += counts.written;
    counts_.errors += counts.errors;
  }
  for (Waiting& waiting : batch) {
    Result<void>& result = results[waiting.endpoint];
    waiting.done(result ? synced : result);
  }
}

FeedbackLog::Counts FeedbackLog::counts() const {
  const std::scoped_lock lock(mutex_);
  return counts_;
}

}  // namespace weir::ledger
