#include "serve/queue.h"

#include <algorithm>

#include "base/check.h"
#include "serve/batch.h"
#include "serve/version.h"

namespace weir::serve {

using model::Inference;

Result<void> Queue::check_room(const Inference& inference) const {
  if (waiting_.size() >= options_.max_requests) {
    return fail(
        Code::exhausted,
        "{} requests wait for model '{}' version {} already (queue_requests); try again later",
        waiting_.size(),
        version_.endpoint(),
        version_.number()
    );
  }
  if (rows_ > 0 && rows_ + inference.rows > options_.max_rows) {
    return fail(
        Code::exhausted,
        "{} rows wait for model '{}' version {} already (queue_rows); try again later",
        rows_,
        version_.endpoint(),
        version_.number()
    );
  }
  return {};
}

void Queue::push(Inference& inference, std::int64_t now_ns) {
  constexpr double weight = 1.0 / 16;
  constexpr std::int64_t longest_gap_ns = 1'000'000'000;
  const std::int64_t gap_ns = std::clamp<std::int64_t>(now_ns - newest_ns_, 0, longest_gap_ns);
  gap_ns_ += (static_cast<double>(gap_ns) - gap_ns_) * weight;
  newest_ns_ = now_ns;
  auto place = waiting_.end();
  while (place != waiting_.begin() && std::prev(place)->inference->priority > inference.priority) {
    --place;
  }
  waiting_.insert(place, {&inference, now_ns});
  rows_ += inference.rows;
}

std::int64_t Queue::leave_at_ns() const {
  CHECK(!waiting_.empty(), "somebody waits");
  // With priorities the first one need not be the oldest; it is the one to hurry for.
  return serve::leave_at_ns(
      batching_,
      {.requests = waiting_.size(),
       .rows = rows_,
       .oldest_ns = waiting_.front().since_ns,
       .newest_ns = newest_ns_,
       .gap_ns = static_cast<std::int64_t>(gap_ns_)},
      cost_.fixed_ns()
  );
}

void Queue::take_late(Moment now, std::vector<Inference*>& late) {
  std::erase_if(waiting_, [&](const Entry& entry) {
    const Moment deadline = entry.inference->deadline;
    if (deadline == 0 || deadline > now) return false;
    late.push_back(entry.inference);
    rows_ -= entry.inference->rows;
    return true;
  });
}

bool Queue::remove(const Inference& inference) {
  const auto place = std::ranges::find(waiting_, &inference, &Entry::inference);
  if (place == waiting_.end()) return false;
  rows_ -= inference.rows;
  waiting_.erase(place);
  return true;
}

void Queue::take(bool may_batch, std::vector<Inference*>& batch) {
  CHECK(!waiting_.empty(), "somebody waits");
  Inference* first = waiting_.front().inference;
  std::size_t rows = first->rows;
  batch.push_back(first);
  waiting_.pop_front();
  if (may_batch && batching_.mode != BatchingOptions::Mode::off && rows > 0 &&
      may_share(*first, *first)) {
    std::erase_if(waiting_, [&](const Entry& entry) {
      Inference& next = *entry.inference;
      if (next.rows == 0 || rows + next.rows > batching_.max_rows) return false;
      if (!may_share(*first, next)) return false;
      rows += next.rows;
      batch.push_back(&next);
      return true;
    });
  }
  rows_ -= rows;
}

std::size_t Queue::runs() const {
  if (batching_.mode == BatchingOptions::Mode::off) return waiting_.size();
  return std::min(waiting_.size(), (rows_ + batching_.max_rows - 1) / batching_.max_rows);
}

std::int64_t Queue::work_ns() const {
  const double each_run = cost_.fixed_ns() * static_cast<double>(runs());
  return static_cast<std::int64_t>(each_run + cost_.per_row_ns() * static_cast<double>(rows_));
}

}  // namespace weir::serve
