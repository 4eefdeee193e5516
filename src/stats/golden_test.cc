// Numbers of reference libraries that the statistics must reproduce: tests/golden/stats. Each file
// names the library and the call that made it.

#include <cmath>
#include <fstream>
#include <sstream>
#include <string>

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "stats/intervals/proportion.h"
#include "stats/sequential/count_eprocess.h"
#include "stats/sequential/sample_ratio.h"

namespace weir::stats {
namespace {

boost::json::object read_golden(const std::string& name) {
  std::ifstream file(std::string(WEIR_SOURCE_DIR) + "/tests/golden/stats/" + name);
  EXPECT_TRUE(file) << name;
  std::stringstream text;
  text << file.rdbuf();
  return boost::json::parse(text.str()).as_object();
}

double number(const boost::json::value& value) {
  if (!value.is_string()) return value.to_number<double>();
  const std::string_view text = value.as_string();
  return text == "inf" ? HUGE_VAL : text == "-inf" ? -HUGE_VAL : std::nan("");
}

std::uint64_t count(const boost::json::value& value) {
  return value.to_number<std::uint64_t>();
}

void expect_close(double found, double wanted, double absolute, double relative) {
  EXPECT_LE(std::fabs(found - wanted), absolute + relative * std::fabs(wanted))
      << "found " << found << ", wanted " << wanted;
}

// The generator that the golden files describe.
class Lcg {
 public:
  explicit Lcg(std::uint64_t seed) : state_(seed) {}
  bool bernoulli(double p) {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<double>(state_ >> 11) * 0x1p-53 < p;
  }

 private:
  std::uint64_t state_;
};

TEST(Golden, TheCountEValueIsExactUpToATrillionEvents) {
  const auto golden = read_golden("count_eprocess.json");
  for (const auto& item : golden.at("count_e_process").as_array()) {
    const auto& row = item.as_object();
    SCOPED_TRACE(boost::json::serialize(row));
    const double log_e = log_count_e_value(
        count(row.at("x")),
        count(row.at("n")),
        number(row.at("a")),
        number(row.at("b")),
        number(row.at("theta0"))
    );
    expect_close(log_e, number(row.at("lnE")), 1e-9, 1e-12);
  }
}

TEST(Golden, TheCountEProcessFollowsThePathsOneEventAtATime) {
  const auto golden = read_golden("count_eprocess.json");
  for (const auto& item : golden.at("paths").as_array()) {
    const auto& path = item.as_object();
    const double theta = number(path.at("theta0"));
    CountEprocess process(number(path.at("a")) + number(path.at("b")));
    ASSERT_NEAR(number(path.at("a")) / (number(path.at("a")) + number(path.at("b"))), theta, 1e-12);
    process.start_segment(theta);
    Lcg lcg(count(path.at("lcg_seed")));
    const auto& checkpoints = path.at("checkpoints").as_array();
    std::size_t next = 0;
    for (std::uint64_t i = 1; i <= count(path.at("n")); ++i) {
      process.add(lcg.bernoulli(number(path.at("p"))) ? 1 : 0, 1);
      if (next == checkpoints.size() || count(checkpoints[next].at("n")) != i) continue;
      EXPECT_EQ(process.x(), count(checkpoints[next].at("x")));
      expect_close(process.log_e(), number(checkpoints[next].at("lnE")), 1e-9, 1e-12);
      expect_close(process.max_log_e(), number(checkpoints[next].at("max_lnE")), 1e-9, 1e-12);
      ++next;
    }
    EXPECT_EQ(next, checkpoints.size());
  }
}

TEST(Golden, SegmentsOfACountEProcessAddUp) {
  const auto segments = read_golden("count_eprocess.json").at("segments").as_object();
  CountEprocess process(10);
  double before = 0;
  std::size_t i = 0;
  for (const auto& item : segments.at("segments_x_n_a_b_theta0").as_array()) {
    const auto& row = item.as_array();
    ASSERT_NEAR(number(row[2]), 10 * number(row[4]), 1e-12);
    process.start_segment(number(row[4]));
    process.add(count(row[0]), count(row[1]));
    expect_close(
        process.log_e() - before, number(segments.at("lnE_each").as_array()[i++]), 1e-11, 1e-12
    );
    before = process.log_e();
  }
  expect_close(process.log_e(), number(segments.at("lnE_total")), 1e-11, 1e-12);
}

TEST(Golden, WilsonAndClopperPearsonMatchStatsmodels) {
  const auto golden = read_golden("intervals.json");
  for (const auto& item : golden.at("proportions").as_array()) {
    const auto& row = item.as_object();
    SCOPED_TRACE(boost::json::serialize(row));
    const std::uint64_t k = count(row.at("k"));
    const std::uint64_t n = count(row.at("n"));
    const double confidence = 1 - number(row.at("alpha"));
    const Interval narrow = wilson(k, n, confidence);
    const Interval exact = clopper_pearson(k, n, confidence);
    if (n == 0) {
      // Statsmodels gives NaN; nothing is known.
      EXPECT_EQ(narrow.low, 0);
      EXPECT_EQ(narrow.high, 1);
      EXPECT_EQ(exact.low, 0);
      EXPECT_EQ(exact.high, 1);
      continue;
    }
    // Relative for the ends near 0: absolute would accept anything there.
    expect_close(narrow.low, number(row.at("wilson").as_array()[0]), 1e-16, 1e-9);
    expect_close(narrow.high, number(row.at("wilson").as_array()[1]), 1e-16, 1e-9);
    expect_close(exact.low, number(row.at("beta").as_array()[0]), 1e-24, 1e-9);
    expect_close(exact.high, number(row.at("beta").as_array()[1]), 1e-24, 1e-9);
  }
}

TEST(Golden, NormalQuantilesMatchScipy) {
  const auto golden = read_golden("intervals.json");
  for (const auto& item : golden.at("norm_ppf").as_array()) {
    const auto& row = item.as_array();
    expect_close(normal_quantile(number(row[0])), number(row[1]), 1e-15, 1e-12);
  }
}

TEST(Golden, ChiSquareOfASplitMatchesScipyWhereItHasAnAnswer) {
  std::size_t compared = 0;
  const auto golden = read_golden("sample_ratio.json");
  for (const auto& item : golden.at("sample_ratio").as_array()) {
    const auto& row = item.as_object();
    SCOPED_TRACE(boost::json::serialize(row));
    std::vector<std::uint64_t> observed;
    std::vector<double> shares;
    for (const auto& value : row.at("observed").as_array()) observed.push_back(count(value));
    for (const auto& value : row.at("share").as_array()) shares.push_back(number(value));
    const ChiSquare found = chi_square(observed, shares);
    const double p = number(row.at("chisquare").at("p"));
    if (std::isnan(p)) {
      // 0 of 0 expected: nothing speaks against the shares.
      EXPECT_EQ(found.p_value, 1);
      continue;
    }
    ++compared;
    if (p == 0) {
      EXPECT_EQ(found.p_value, 0);
      continue;
    }
    expect_close(found.statistic, number(row.at("chisquare").at("chi2")), 1e-12, 1e-10);
    expect_close(found.p_value, p, 0, 1e-8);
  }
  EXPECT_GE(compared, 12u);
}

}  // namespace
}  // namespace weir::stats
