#pragma once

#include <cstdint>
#include <deque>

namespace weir::http {

class SocketConnection;

struct ArrivalsOptions {
  // Who comes when what lies ahead is expected to take longer than this is told so at once. 0:
  // nobody is.
  std::int64_t max_backlog_us = 250'000;
};

// A connection that has something to read.
struct Arrival {
  SocketConnection* connection = nullptr;
  std::int64_t seen_ns = 0;  // When the loop learned of it.
};

// The connections of one loop that have something to read, in the order in which the loop learned
// of it, and how far the loop is behind. One thread; time is an argument.
class Arrivals {
 public:
  explicit Arrivals(const ArrivalsOptions& options) : max_ns_(options.max_backlog_us * 1000) {}

  bool is_empty() const { return waiting_.empty(); }
  void push(Arrival arrival) { waiting_.push_back(arrival); }
  // The first has its turn now. Requires: not empty.
  Arrival pop(std::int64_t now_ns) {
    end_turn(now_ns);
    turn_ns_ = now_ns;
    const Arrival first = waiting_.front();
    waiting_.pop_front();
    return first;
  }
  // The last turn is over, and nobody waits.
  void rest(std::int64_t now_ns) {
    end_turn(now_ns);
    turn_ns_ = 0;
  }
  void remove(const SocketConnection& connection) {
    std::erase_if(waiting_, [&](const Arrival& a) { return a.connection == &connection; });
  }
  // What the turns of all that wait are expected to take, if that is too long for one more; else 0.
  // A burst of requests that turn out to be cheap is none of it: the first has to have waited for a
  // part of the limit already.
  std::int64_t too_long_ns(std::int64_t now_ns) const {
    if (waiting_.empty() || max_ns_ == 0) return 0;
    const auto ahead_ns =
        static_cast<std::int64_t>(mean_ns_ * static_cast<double>(waiting_.size()));
    return ahead_ns > max_ns_ && now_ns - waiting_.front().seen_ns > max_ns_ / 8 ? ahead_ns : 0;
  }
  // Whether one that waited for so long shows that the loop is behind.
  bool is_long(std::int64_t waited_ns) const { return max_ns_ != 0 && waited_ns > max_ns_ / 2; }

 private:
  void end_turn(std::int64_t now_ns) {
    if (turn_ns_ != 0) mean_ns_ += (static_cast<double>(now_ns - turn_ns_) - mean_ns_) / 16;
  }

  const std::int64_t max_ns_;
  std::deque<Arrival> waiting_;
  std::int64_t turn_ns_ = 0;  // When the last turn began, while more wait; else 0.
  double mean_ns_ = 0;        // From one turn to the next, whatever is done in between.
};

}  // namespace weir::http
