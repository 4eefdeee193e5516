#include "metrics/registry.h"

#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <sstream>
#include <thread>

#include <gtest/gtest.h>
#include <unistd.h>

#include "metrics/exposition.h"
#include "metrics/process.h"

namespace weir::metrics {
namespace {

// A reader of the text format written from its specification, that knows nothing of the writer.
class Reader {
 public:
  // False when a line breaks the format.
  bool read(const std::string& text) {
    if (text.empty() || text.back() != '\n') return false;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      if (!(line[0] == '#' ? read_comment(line) : read_sample(line))) {
        bad_line_ = line;
        return false;
      }
    }
    return true;
  }
  std::optional<double> value(const std::string& series) const {
    const auto found = values_.find(series);
    return found == values_.end() ? std::nullopt : std::optional(found->second);
  }
  const std::string& bad_line() const { return bad_line_; }

 private:
  bool read_comment(const std::string& line) {
    std::istringstream words(line);
    std::string hash, keyword, name, kind;
    words >> hash >> keyword >> name >> kind;
    if (keyword == "HELP") return helped_.insert({name, true}).second;
    if (keyword != "TYPE" || helped_.count(name) == 0) return false;
    if (kind != "counter" && kind != "gauge" && kind != "histogram") return false;
    current_ = name;
    current_kind_ = kind;
    return kinds_.insert({name, kind}).second;
  }

  bool read_sample(const std::string& line) {
    std::size_t at = line.find_first_of("{ ");
    if (at == std::string::npos) return false;
    std::string base = line.substr(0, at);
    if (!is_metric_name(base)) return false;
    if (current_kind_ == "histogram") {
      for (const std::string suffix : {"_bucket", "_sum", "_count"}) {
        if (base == current_ + suffix) base = current_;
      }
    }
    if (base != current_) return false;  // Lines of a family stand together.
    if (line[at] == '{' && !skip_labels(line, at)) return false;
    if (line[at] != ' ') return false;
    const std::string series = line.substr(0, at);
    char* end = nullptr;
    const double value = std::strtod(line.c_str() + at + 1, &end);
    if (*end != '\0') return false;
    return values_.insert({series, value}).second;  // A series stands once.
  }

  static bool skip_labels(const std::string& line, std::size_t& at) {
    while (line[at] != '}') {
      ++at;
      const std::size_t equals = line.find('=', at);
      if (equals == std::string::npos || line[equals + 1] != '"') return false;
      const std::string name = line.substr(at, equals - at);
      if (name != "le" && !is_label_name(name)) return false;
      for (at = equals + 2; at < line.size() && line[at] != '"'; ++at) {
        if (line[at] == '\\') {
          ++at;
          if (line[at] != '\\' && line[at] != '"' && line[at] != 'n') return false;
        }
      }
      if (++at >= line.size()) return false;
      if (line[at] != ',' && line[at] != '}') return false;
    }
    ++at;
    return true;
  }

  std::string current_;
  std::string current_kind_;
  std::string bad_line_;
  std::map<std::string, bool> helped_;
  std::map<std::string, std::string> kinds_;
  std::map<std::string, double> values_;
};

void fill(Registry& registry) {
  registry.counter(
              "weir_requests_total", "Requests.", {{"endpoint", "fraud"}, {"version", "1"}}
  )->add(12);
  registry.counter("weir_requests_total", "Requests.", {{"endpoint", "a\"b\\c\nd"}})->add();
  registry.gauge("weir_share", "Share of the candidate.\nIn \\ one.")->set(0.25);
  const auto latency = registry.histogram(
      "weir_latency_seconds", "Latency.", {{50'000, 100'000, 2'500'000}, 1e9}, {{"arm", "primary"}}
  );
  for (const std::int64_t ns : {10'000, 60'000, 70'000, 3'000'000}) latency->observe(ns);
}

constexpr std::string_view golden = R"(# HELP weir_latency_seconds Latency.
# TYPE weir_latency_seconds histogram
weir_latency_seconds_bucket{arm="primary",le="5e-05"} 1
weir_latency_seconds_bucket{arm="primary",le="0.0001"} 3
weir_latency_seconds_bucket{arm="primary",le="0.0025"} 3
weir_latency_seconds_bucket{arm="primary",le="+Inf"} 4
weir_latency_seconds_sum{arm="primary"} 0.00314
weir_latency_seconds_count{arm="primary"} 4
# HELP weir_metrics_refused_series_total Series that are not shown because there were too many.
# TYPE weir_metrics_refused_series_total counter
weir_metrics_refused_series_total 0
# HELP weir_requests_total Requests.
# TYPE weir_requests_total counter
weir_requests_total{endpoint="a\"b\\c\nd"} 1
weir_requests_total{endpoint="fraud",version="1"} 12
# HELP weir_share Share of the candidate.\nIn \\ one.
# TYPE weir_share gauge
weir_share 0.25
)";

TEST(Registry, WritesThePrometheusTextFormat) {
  Registry registry;
  fill(registry);
  EXPECT_EQ(registry.text(), golden);
}

TEST(Registry, WritesATextThatAReaderOfTheFormatAccepts) {
  Registry registry;
  fill(registry);
  const auto process = show_process(registry);
  Reader reader;
  ASSERT_TRUE(reader.read(registry.text())) << reader.bad_line();
  EXPECT_EQ(reader.value("weir_requests_total{endpoint=\"fraud\",version=\"1\"}"), 12);
  EXPECT_EQ(reader.value("weir_latency_seconds_bucket{arm=\"primary\",le=\"+Inf\"}"), 4);
  EXPECT_GT(reader.value("process_resident_memory_bytes").value_or(0), 1e6);
  EXPECT_GT(reader.value("process_start_time_seconds").value_or(0), 1.6e9);
  EXPECT_GE(reader.value("process_open_fds").value_or(0), 3);
  EXPECT_GE(reader.value("process_threads").value_or(0), 1);
}

// Where Prometheus' own checker is installed it has the last word.
TEST(Registry, WritesATextThatPromtoolAcceptsWhereItIsInstalled) {
  if (std::system("command -v promtool >/dev/null 2>&1") != 0) return;
  Registry registry;
  fill(registry);
  const auto process = show_process(registry);
  std::FILE* promtool = popen("promtool check metrics >/dev/null 2>&1", "w");
  ASSERT_NE(promtool, nullptr);
  const std::string text = registry.text();
  EXPECT_EQ(std::fwrite(text.data(), 1, text.size(), promtool), text.size());
  EXPECT_EQ(pclose(promtool), 0) << text;
}

TEST(Registry, GivesTheSameInstrumentForTheSameLabelsInAnyOrder) {
  Registry registry;
  const auto one = registry.counter("a_total", "A.", {{"x", "1"}, {"y", "2"}});
  EXPECT_EQ(one, registry.counter("a_total", "A.", {{"y", "2"}, {"x", "1"}}));
  EXPECT_NE(one, registry.counter("a_total", "A.", {{"y", "2"}}));
}

TEST(Registry, RemovesTheSeriesOfAVersionFromEveryFamilyAndLeavesHandlesAlive) {
  Registry registry;
  const Labels labels{{"endpoint", "e"}, {"version", "1"}, {"arm", "primary"}};
  const auto counter = registry.counter("a_total", "A.", labels);
  const auto latency = registry.histogram("b_seconds", "B.", latency_buckets(), labels);
  registry.gauge("c", "C.", {{"endpoint", "e"}, {"version", "2"}});
  EXPECT_EQ(registry.remove({{"version", "1"}, {"endpoint", "e"}}), 2u);
  counter->add();
  latency->observe(1);
  const std::string text = registry.text();
  EXPECT_EQ(text.find("version=\"1\""), std::string::npos);
  EXPECT_EQ(text.find("a_total"), std::string::npos);
  EXPECT_NE(text.find("version=\"2\""), std::string::npos);
  EXPECT_EQ(registry.counter("a_total", "A.", labels)->value(), 0u);
  EXPECT_EQ(counter->value(), 1u);
}

TEST(Registry, HandlesOutliveTheRegistry) {
  std::shared_ptr<Counter> counter;
  {
    Registry registry;
    counter = registry.counter("a_total", "A.");
  }
  counter->add();
  EXPECT_EQ(counter->value(), 1u);
}

TEST(Registry, HidesAndCountsSeriesBeyondItsLimit) {
  Registry registry({.max_series = 2});
  registry.gauge("g", "G.", {{"k", "1"}});
  registry.gauge("g", "G.", {{"k", "2"}});
  EXPECT_NE(registry.text().find("refused_series_total 0"), std::string::npos);
  const auto refused = registry.gauge("g", "G.", {{"k", "3"}});
  refused->set(1);
  EXPECT_EQ(registry.text().find("k=\"3\""), std::string::npos);
  EXPECT_NE(registry.text().find("refused_series_total 1"), std::string::npos);
  registry.remove({{"k", "1"}});
  registry.gauge("g", "G.", {{"k", "3"}});
  EXPECT_NE(registry.text().find("k=\"3\""), std::string::npos);
}

TEST(Registry, ComputesCallbacksWhenTheTextIsAskedForAndJoinsThoseOfOneName) {
  Registry registry;
  double depth = 1;
  const auto one = registry.callback(Kind::gauge, "depth", "Depth.", [&] {
    return std::vector<Sample>{{{{"queue", "a"}}, depth}};
  });
  {
    const auto two = registry.callback(Kind::gauge, "depth", "Depth.", [] {
      return std::vector<Sample>{{{{"queue", "b"}}, 7}, {{{"queue", "a"}}, 99}};
    });
    depth = 2;
    const std::string text = registry.text();
    EXPECT_NE(text.find("depth{queue=\"a\"} 2\ndepth{queue=\"b\"} 7\n"), std::string::npos);
    Reader reader;
    EXPECT_TRUE(reader.read(text)) << reader.bad_line();
  }
  EXPECT_EQ(registry.text().find("queue=\"b\""), std::string::npos);
}

TEST(Registry, AMovedCallbackEndsWithItsLastOwner) {
  Registry registry;
  Registry::Callback kept;
  {
    auto made = registry.callback(Kind::gauge, "g", "G.", [] {
      return std::vector<Sample>{{{}, 1}};
    });
    kept = std::move(made);
  }
  EXPECT_NE(registry.text().find("\ng 1\n"), std::string::npos);
  kept = Registry::Callback();
  EXPECT_EQ(registry.text().find("\ng 1\n"), std::string::npos);
}

TEST(Registry, ShowsSpecialValuesAsTheFormatWantsThem) {
  EXPECT_EQ(value_text(std::nan("")), "NaN");
  EXPECT_EQ(value_text(HUGE_VAL), "+Inf");
  EXPECT_EQ(value_text(-HUGE_VAL), "-Inf");
  EXPECT_EQ(value_text(3), "3");
  EXPECT_EQ(value_text(0.1), "0.1");
}

TEST(Registry, ReplacesBytesThatAreNotUtf8) {
  EXPECT_EQ(valid_utf8("gr\xC3\xBC\xC3\x9F"), "gr\xC3\xBC\xC3\x9F");
  EXPECT_EQ(valid_utf8("a\xFF"), "a\xEF\xBF\xBD");
  EXPECT_EQ(valid_utf8("\xC3"), "\xEF\xBF\xBD");
  EXPECT_EQ(valid_utf8("\xC0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(valid_utf8("\xED\xA0\x80").find('\xED'), std::string::npos);
  EXPECT_EQ(valid_utf8("\xF0\x9F\x8C\x8A"), "\xF0\x9F\x8C\x8A");
  EXPECT_EQ(valid_utf8("\xF4\x90\x80\x80").find('\xF4'), std::string::npos);
}

TEST(Registry, RefusesNamesThatTheFormatForbids) {
  Registry registry;
  EXPECT_DEATH(registry.counter("a", "A."), "_total");
  EXPECT_DEATH(registry.gauge("a_total", "A."), "_total");
  EXPECT_DEATH(registry.gauge("a-b", "A."), "names of metrics");
  EXPECT_DEATH(registry.gauge("a", "A.", {{"le", "1"}}), "names of labels");
  EXPECT_DEATH(registry.gauge("a", "A.", {{"x", "1"}, {"x", "2"}}), "stands once");
  registry.gauge("b", "B.");
  EXPECT_DEATH(registry.histogram("b", "B."), "one kind");
}

TEST(Registry, CanBeReadWhileThreadsMakeUseAndRemoveSeries) {
  Registry registry;
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&, i] {
      for (int k = 0; !stop; ++k) {
        const Labels labels{{"version", std::to_string((i + k) % 5)}};
        registry.counter("a_total", "A.", labels)->add();
        registry.histogram("b_seconds", "B.", latency_buckets(), labels)->observe(k);
        const auto callback = registry.callback(Kind::gauge, "c", "C.", [k] {
          return std::vector<Sample>{{{}, static_cast<double>(k)}};
        });
        registry.remove(labels);
      }
    });
  }
  for (int i = 0; i < 200; ++i) {
    Reader reader;
    const std::string text = registry.text();
    EXPECT_TRUE(reader.read(text)) << reader.bad_line() << "\n" << text;
  }
  stop = true;
  for (auto& thread : threads) thread.join();
}

}  // namespace
}  // namespace weir::metrics
