#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "metrics/instrument.h"

// All metrics of a process and their Prometheus text (text format 0.0.4).

namespace weir::metrics {

// {"endpoint", "fraud"}, {"version", "3"}. The order is kept in the text and does not matter
// otherwise. Bytes of a value that are not UTF-8 are shown as U+FFFD.
using Labels = std::vector<std::pair<std::string, std::string>>;

enum class Kind : std::uint8_t { counter, gauge, histogram };

// One line computed when the text is asked for.
struct Sample {
  Labels labels;
  double value = 0;
};

// Thread-safe. Names of metrics and labels come from the program, so a malformed one, a counter
// without _total (those that Triton calls nv_… need none) or one name with two kinds breaks an
// invariant; label values may come from anybody.
class Registry {
 public:
  struct Options {
    // Series beyond this number work but are not shown, and are counted in
    // weir_metrics_refused_series_total.
    std::size_t max_series = 100'000;
  };

  Registry();
  explicit Registry(Options options);
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // The instrument of that name and those labels, made when there is none. Keep the pointer; it
  // stays valid after remove() and after the registry is gone.
  std::shared_ptr<Counter> counter(
      std::string_view name, std::string_view help, const Labels& labels = {}
  );
  std::shared_ptr<Gauge> gauge(
      std::string_view name, std::string_view help, const Labels& labels = {}
  );
  std::shared_ptr<Histogram> histogram(
      std::string_view name,
      std::string_view help,
      const Buckets& buckets = latency_buckets(),
      const Labels& labels = {}
  );

  // Stops showing every series, of any family, whose labels contain all of these; returns how many.
  // Instruments still held go on working unseen; asking for one again makes a new one from zero.
  // Requires: labels are not empty.
  std::size_t remove(const Labels& labels);

  // Ends a callback when it is destroyed; waits for a text in progress, so what the callback
  // touches may go right after. May not outlive the registry.
  class Callback {
   public:
    Callback() = default;
    Callback(Callback&& other) noexcept;
    Callback& operator=(Callback&& other) noexcept;
    ~Callback();

   private:
    friend class Registry;
    Callback(Registry* registry, std::uint64_t id) : registry_(registry), id_(id) {}
    Registry* registry_ = nullptr;
    std::uint64_t id_ = 0;
  };

  // Values computed at scrape time. Several callbacks may share a name, also with instruments,
  // if their kind is equal; they then stand in one family, under the help that came first. The
  // function may use instruments, but neither add nor remove a callback. Requires: a counter or a
  // gauge.
  [[nodiscard]] Callback callback(
      Kind kind,
      std::string_view name,
      std::string_view help,
      std::function<std::vector<Sample>()> function
  );

  // Families sorted by name; series sorted by labels.
  std::string text() const;

  // The Content-Type of text().
  static constexpr std::string_view content_type = "text/plain; version=0.0.4; charset=utf-8";

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace weir::metrics
