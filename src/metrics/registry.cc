#include "metrics/registry.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <variant>

#include <fmt/core.h>

#include "base/check.h"
#include "metrics/exposition.h"

namespace weir::metrics {
namespace {

using Instrument =
    std::variant<std::shared_ptr<Counter>, std::shared_ptr<Gauge>, std::shared_ptr<Histogram>>;

struct Series {
  Labels labels;
  std::string label_text;
  Instrument instrument;
};

struct Family {
  Kind kind = Kind::counter;
  std::string help;
  std::map<std::string, Series> series;  // By label_key.
};

struct CallbackEntry {
  std::string name;
  std::function<std::vector<Sample>()> function;
};

// A line of a callback: label text and value by label_key, so that one series stands once.
using Computed = std::map<std::string, std::pair<std::string, double>>;

bool contains_all(const Labels& labels, const Labels& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const auto& label) {
    return std::find(labels.begin(), labels.end(), label) != labels.end();
  });
}

void write_series(std::string& out, const std::string& name, const Series& series) {
  if (const auto* counter = std::get_if<std::shared_ptr<Counter>>(&series.instrument)) {
    write_sample(out, name, series.label_text, fmt::format("{}", (*counter)->value()));
  } else if (const auto* gauge = std::get_if<std::shared_ptr<Gauge>>(&series.instrument)) {
    write_sample(out, name, series.label_text, value_text((*gauge)->value()));
  } else {
    const auto& histogram = std::get<std::shared_ptr<Histogram>>(series.instrument);
    write_histogram(out, name, series.label_text, histogram->snapshot());
  }
}

}  // namespace

struct Registry::State {
  explicit State(const Options& wanted) : options(wanted) {}

  const Options options;

  // Held while callbacks run. Separate from the families, so that a slow callback never holds up
  // somebody who asks for an instrument; taken before families_mutex where both are needed.
  std::mutex callbacks_mutex;
  std::map<std::uint64_t, CallbackEntry> callbacks;
  std::uint64_t next_callback = 1;

  std::mutex families_mutex;
  std::map<std::string, Family, std::less<>> families;
  std::size_t series_count = 0;
  std::shared_ptr<Counter> refused;

  // Requires: families_mutex is held.
  Family& family(Kind kind, std::string_view name, std::string_view help) {
    auto found = families.find(name);
    if (found == families.end()) {
      CHECK(is_metric_name(name), "names of metrics are letters, digits, underscores and colons");
      const bool is_total = name.size() > 6 && name.substr(name.size() - 6) == "_total";
      // Names that dashboards of another server look for are as that server writes them.
      const bool is_foreign = name.starts_with("nv_");
      CHECK(
          is_foreign || is_total == (kind == Kind::counter),
          "counters, and only they, end in _total"
      );
      found = families.emplace(std::string(name), Family{kind, std::string(help), {}}).first;
    }
    CHECK(found->second.kind == kind, "one name has one kind of metric");
    return found->second;
  }

  template <class Type, class... Arguments>
  std::shared_ptr<Type> instrument(
      Kind kind,
      std::string_view name,
      std::string_view help,
      const Labels& labels,
      const Arguments&... arguments
  ) {
    std::string key = label_key(labels);
    const std::lock_guard lock(families_mutex);
    auto& series = family(kind, name, help).series;
    if (const auto found = series.find(key); found != series.end()) {
      return std::get<std::shared_ptr<Type>>(found->second.instrument);
    }
    auto made = std::make_shared<Type>(arguments...);
    if (series_count >= options.max_series) {
      refused->add();
      return made;
    }
    series.emplace(std::move(key), Series{labels, label_text(labels), made});
    ++series_count;
    return made;
  }

  // Requires: callbacks_mutex is held.
  std::map<std::string, Computed, std::less<>> compute() {
    std::map<std::string, Computed, std::less<>> result;
    for (const auto& [id, entry] : callbacks) {
      Computed& lines = result[entry.name];
      for (const Sample& sample : entry.function()) {
        lines.emplace(label_key(sample.labels), std::pair(label_text(sample.labels), sample.value));
      }
    }
    return result;
  }
};

Registry::Registry() : Registry(Options{}) {}

Registry::Registry(Options options) : state_(std::make_unique<State>(options)) {
  const std::lock_guard lock(state_->families_mutex);
  constexpr std::string_view name = "weir_metrics_refused_series_total";
  auto& family =
      state_->family(Kind::counter, name, "Series that are not shown because there were too many.");
  state_->refused = std::make_shared<Counter>();
  family.series.emplace("", Series{{}, "", state_->refused});
}

Registry::~Registry() = default;

std::shared_ptr<Counter> Registry::counter(
    std::string_view name, std::string_view help, const Labels& labels
) {
  return state_->instrument<Counter>(Kind::counter, name, help, labels);
}

std::shared_ptr<Gauge> Registry::gauge(
    std::string_view name, std::string_view help, const Labels& labels
) {
  return state_->instrument<Gauge>(Kind::gauge, name, help, labels);
}

std::shared_ptr<Histogram> Registry::histogram(
    std::string_view name, std::string_view help, const Buckets& buckets, const Labels& labels
) {
  return state_->instrument<Histogram>(Kind::histogram, name, help, labels, buckets);
}

std::size_t Registry::remove(const Labels& labels) {
  CHECK(!labels.empty(), "removing by no label would remove everything");
  const std::lock_guard lock(state_->families_mutex);
  std::size_t removed = 0;
  for (auto& [name, family] : state_->families) {
    removed += std::erase_if(family.series, [&](const auto& entry) {
      return contains_all(entry.second.labels, labels);
    });
  }
  state_->series_count -= removed;
  return removed;
}

Registry::Callback Registry::callback(
    Kind kind,
    std::string_view name,
    std::string_view help,
    std::function<std::vector<Sample>()> function
) {
  CHECK(kind != Kind::histogram, "a callback computes single values");
  const std::lock_guard lock(state_->callbacks_mutex);
  {
    const std::lock_guard families_lock(state_->families_mutex);
    state_->family(kind, name, help);
  }
  const std::uint64_t id = state_->next_callback++;
  state_->callbacks.emplace(id, CallbackEntry{std::string(name), std::move(function)});
  return Callback(this, id);
}

Registry::Callback::Callback(Callback&& other) noexcept
    : registry_(std::exchange(other.registry_, nullptr)), id_(other.id_) {}

Registry::Callback& Registry::Callback::operator=(Callback&& other) noexcept {
  const Callback ended(
      std::exchange(registry_, std::exchange(other.registry_, nullptr)),
      std::exchange(id_, other.id_)
  );
  return *this;
}

Registry::Callback::~Callback() {
  if (registry_ == nullptr) return;
  const std::lock_guard lock(registry_->state_->callbacks_mutex);
  registry_->state_->callbacks.erase(id_);
}

std::string Registry::text() const {
  const std::lock_guard callbacks_lock(state_->callbacks_mutex);
  auto computed = state_->compute();
  std::string out;
  const std::lock_guard families_lock(state_->families_mutex);
  for (const auto& [name, family] : state_->families) {
    Computed& lines = computed[name];
    if (family.series.empty() && lines.empty()) continue;
    write_family(out, name, family.help, family.kind);
    for (const auto& [key, series] : family.series) {
      write_series(out, name, series);
      lines.erase(key);
    }
    for (const auto& [key, line] : lines) {
      write_sample(out, name, line.first, value_text(line.second));
    }
  }
  return out;
}

}  // namespace weir::metrics
