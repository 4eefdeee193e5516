#include "base/id.h"

#include <set>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace weir {
namespace {

constexpr Moment moment = 1'700'000'000'123'456;
constexpr Moment hour = 3'600 * us_per_second;

std::uint64_t ms_of(const Uuid& id) {
  std::uint64_t ms = 0;
  for (std::size_t i = 0; i < 6; ++i) ms = ms << 8U | id.bytes[i];
  return ms;
}

TEST(Uuid, CarriesItsTimeVersionAndVariant) {
  const Uuid id = make_uuid7(moment - 2 * hour);
  EXPECT_EQ(ms_of(id), 1'699'992'800'123U);
  EXPECT_EQ(id.bytes[6] >> 4U, 7);
  EXPECT_EQ(id.bytes[8] >> 6U, 2);
}

TEST(Uuid, GrowsWithinAMillisecondAndBeyondWhatItsFractionHolds) {
  Uuid last = make_uuid7(moment);
  for (int i = 0; i < 20'000; ++i) {
    const Uuid id = make_uuid7(moment);
    ASSERT_LT(last.bytes, id.bytes) << i;
    last = id;
  }
  EXPECT_LT(last.bytes, make_uuid7(moment + 10'000).bytes);
}

TEST(Uuid, SortsByTheFractionOfTheMillisecondToo) {
  const Uuid first = make_uuid7(moment + hour);
  Uuid second;
  std::thread([&] { second = make_uuid7(moment + hour + 1); }).join();
  EXPECT_LT(first.bytes, second.bytes);
}

TEST(Uuid, GrowsWhenTheClockStepsBackAndFollowsOneThatIsSetBack) {
  const Uuid first = make_uuid7(moment + 2 * hour);
  EXPECT_LT(first.bytes, make_uuid7(moment + 2 * hour - us_per_second / 2).bytes);
  EXPECT_EQ(ms_of(make_uuid7(moment + hour)), 1'700'003'600'123U);
}

TEST(Uuid, IsNeverTheSameInTwoThreads) {
  std::vector<Uuid> ids(4'000);
  const auto fill = [&](std::size_t from) {
    for (std::size_t i = from; i < from + 2'000; ++i) ids[i] = make_uuid7(moment);
  };
  std::thread other([&] { fill(2'000); });
  fill(0);
  other.join();
  std::set<std::array<std::uint8_t, 16>> different;
  for (const Uuid& id : ids) different.insert(id.bytes);
  EXPECT_EQ(different.size(), ids.size());
}

}  // namespace
}  // namespace weir
