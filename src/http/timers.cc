#include "http/timers.h"

#include <algorithm>

namespace weir::http {
namespace {

// Memory for the next request is kept for so long; few clients that wait longer are in a hurry.
constexpr std::int64_t warm_us = 1'000'000;
constexpr std::int64_t forever_ns = INT64_MAX;

}  // namespace

Waits::Waits(const ServerOptions& options) {
  const std::int64_t warm = std::min(options.idle_timeout_us, warm_us);
  const auto set_length = [&](Wait wait, std::int64_t us) {
    length_ns_[static_cast<std::size_t>(wait)] = us * 1000;
  };
  set_length(Wait::warm, warm);
  set_length(Wait::idle, options.idle_timeout_us - warm);
  set_length(Wait::head, options.head_timeout_us);
  set_length(Wait::body, options.body_timeout_us);
  set_length(Wait::write, options.write_timeout_us);
  set_length(Wait::linger, options.linger_timeout_us);
  set_length(Wait::drain, options.idle_drain_us);
  length_ns_[static_cast<std::size_t>(Wait::handler)] = forever_ns;
  for (Waiter& list : lists_) list.previous = list.next = &list;
}

void Waits::unlink(Waiter& waiter) {
  waiter.previous->next = waiter.next;
  waiter.next->previous = waiter.previous;
}

void Waits::append(Waiter& waiter, Waiter& list) {
  if (waiter.next != nullptr) unlink(waiter);
  waiter.previous = list.previous;
  waiter.next = &list;
  waiter.previous->next = &waiter;
  list.previous = &waiter;
}

void Waits::take(Waiter& list, Waiter& into) {
  into.previous = into.next = &into;
  if (list.next == &list) return;
  into.next = list.next;
  into.previous = list.previous;
  into.next->previous = into.previous->next = &into;
  list.previous = list.next = &list;
}

void Waits::set(Waiter& waiter, Wait wait, std::int64_t now_ns) {
  const auto index = static_cast<std::size_t>(wait);
  waiter.wait = wait;
  waiter.deadline_ns = wait == Wait::handler ? forever_ns : now_ns + length_ns_[index];
  append(waiter, lists_[index]);
}

void Waits::remove(Waiter& waiter) {
  if (waiter.next == nullptr) return;
  unlink(waiter);
  waiter.previous = waiter.next = nullptr;
}

Waiter* Waits::expired(std::int64_t now_ns) {
  for (Waiter& list : lists_) {
    if (list.next != &list && list.next->deadline_ns <= now_ns) return list.next;
  }
  return nullptr;
}

std::int64_t Waits::next_deadline_ns() const {
  std::int64_t next = forever_ns;
  for (const Waiter& list : lists_) {
    if (list.next != &list) next = std::min(next, list.next->deadline_ns);
  }
  return next;
}

}  // namespace weir::http
