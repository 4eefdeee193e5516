#include "http/context.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include <fmt/format.h>

#include "base/clock.h"

namespace weir::http {

std::unique_ptr<RequestMemory> RequestMemoryPool::take() {
  std::unique_ptr<RequestMemory> memory;
  if (spare_.empty()) {
    memory = std::make_unique<RequestMemory>();
  } else {
    memory = std::move(spare_.back());
    spare_.pop_back();
    spare_bytes_ -= memory->footprint();
  }
  memory->input.reserve(input_bytes);
  return memory;
}

void RequestMemoryPool::give(std::unique_ptr<RequestMemory> memory) {
  memory->input.clear();
  memory->body.clear();
  memory->inflated.clear();
  memory->begin = 0;
  if (memory->footprint() > max_spare_bytes / 2) {
    memory->body.release();
    memory->inflated.release();
  }
  if (spare_bytes_ + memory->footprint() > max_spare_bytes) return;
  spare_bytes_ += memory->footprint();
  spare_.push_back(std::move(memory));
}

bool MemoryBudget::take(std::uint64_t bytes) {
  return used_.fetch_add(bytes, std::memory_order_relaxed) + bytes <= limit_;
}

void MemoryBudget::give(std::uint64_t bytes) {
  used_.fetch_sub(bytes, std::memory_order_relaxed);
}

std::uint64_t MemoryBudget::left() const {
  return limit_ - std::min(limit_, used());
}

std::string_view Context::date_line() {
  if (now_ns >= date_until_ns_) {
    constexpr std::array<std::string_view, 7> days = {
        "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    constexpr std::array<std::string_view, 12> months = {
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const Moment now = now_us();
    const std::time_t seconds = now / us_per_second;
    std::tm utc{};
    gmtime_r(&seconds, &utc);
    date_size_ = fmt::format_to_n(
                     date_.data(),
                     date_.size(),
                     "Date: {}, {:02} {} {} {:02}:{:02}:{:02} GMT\r\n",
                     days[static_cast<std::size_t>(utc.tm_wday)],
                     utc.tm_mday,
                     months[static_cast<std::size_t>(utc.tm_mon)],
                     utc.tm_year + 1900,
                     utc.tm_hour,
                     utc.tm_min,
                     utc.tm_sec
    )
                     .size;
    date_until_ns_ = now_ns + (us_per_second - now % us_per_second) * 1000;
  }
  return {date_.data(), date_size_};
}

}  // namespace weir::http
