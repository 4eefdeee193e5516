#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "http/server.h"

// The deadlines of the connections of one loop. Every kind of wait has one fixed length, so each
// kind is a list in order of time: setting, moving and finding the next one are a few pointers.

namespace weir::http {

enum class Wait : std::uint8_t {
  warm,     // Between two requests, so recently that the next one is likely.
  idle,     // Between two requests.
  head,     // For the rest of a head.
  body,     // For the rest of a body.
  write,    // For the client to read.
  linger,   // For the client to close.
  drain,    // For a last request, while the server stops.
  handler,  // For the handler; without end, that is its own matter.
};
inline constexpr std::size_t wait_count = 8;

// A connection is one. In exactly one list from its first set() until remove().
struct Waiter {
  Waiter* previous = nullptr;
  Waiter* next = nullptr;
  std::int64_t deadline_ns = 0;
  Wait wait = Wait::warm;
};

// One thread at a time.
class Waits {
 public:
  explicit Waits(const ServerOptions& options);

  void set(Waiter& waiter, Wait wait, std::int64_t now_ns);
  void remove(Waiter& waiter);
  // One whose time is up; it stays in its list until it is moved or removed.
  Waiter* expired(std::int64_t now_ns);
  // The earliest deadline of all; INT64_MAX when there is none.
  std::int64_t next_deadline_ns() const;
  // Calls function(Waiter&) for each, which may set or remove that one.
  template <class Function>
  void for_each(Function function) {
    std::array<Waiter, wait_count> all;
    for (std::size_t i = 0; i < wait_count; ++i) take(lists_[i], all[i]);
    for (Waiter& taken : all) {
      while (taken.next != &taken) {
        Waiter& first = *taken.next;
        append(first, lists_[static_cast<std::size_t>(first.wait)]);
        function(first);
      }
    }
  }

 private:
  static void unlink(Waiter& waiter);
  static void append(Waiter& waiter, Waiter& list);
  static void take(Waiter& list, Waiter& into);

  std::array<Waiter, wait_count> lists_;  // Rings: each starts and ends at its element here.
  std::array<std::int64_t, wait_count> length_ns_{};
};

}  // namespace weir::http
