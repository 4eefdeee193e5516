#include "http/compress.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::http {
namespace {

std::string squeeze(Coding coding, std::string_view text) {
  Compressor compressor;
  Buffer out;
  compressor.deflate(coding, text, out);
  return std::string(out.view());
}

std::string sample(std::size_t size) {
  std::string text;
  for (std::size_t i = 0; text.size() < size; ++i) text += std::to_string(i * i) + ",";
  text.resize(size);
  return text;
}

TEST(Compress, GivesBackWhatItTook) {
  Compressor compressor;
  Buffer packed;
  Buffer unpacked;
  // Twice, because the state is used again, in either direction and kind.
  for (int round = 0; round < 2; ++round) {
    for (const Coding coding : {Coding::gzip, Coding::deflate}) {
      for (const std::size_t size : {0, 1, 1000, 100'000, 3'000'000}) {
        const std::string text = sample(size);
        compressor.deflate(coding, text, packed);
        ASSERT_TRUE(compressor.inflate(coding, packed.view(), 4'000'000, unpacked));
        ASSERT_EQ(unpacked.view(), text);
      }
    }
  }
}

TEST(Compress, AllowsExactlyTheLimit) {
  Compressor compressor;
  Buffer out;
  const std::string packed = squeeze(Coding::gzip, std::string(50'000, 'a'));
  EXPECT_TRUE(compressor.inflate(Coding::gzip, packed, 50'000, out));
  const Result<void> refused = compressor.inflate(Coding::gzip, packed, 49'999, out);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::exhausted);
  EXPECT_THAT(refused.error().message, testing::HasSubstr("49999"));
}

TEST(Compress, RefusesABombWithoutHoldingIt) {
  const std::string bomb = squeeze(Coding::deflate, std::string(100'000'000, '\0'));
  ASSERT_LT(bomb.size(), 500'000U);
  Compressor compressor;
  Buffer out;
  ASSERT_FALSE(compressor.inflate(Coding::deflate, bomb, 1'000'000, out));
  EXPECT_EQ(out.capacity(), 0U);
}

TEST(Compress, RefusesBrokenBodies) {
  Compressor compressor;
  Buffer out;
  const std::string good = squeeze(Coding::gzip, sample(10'000));
  std::string flipped = good;
  flipped[good.size() / 2] = static_cast<char>(flipped[good.size() / 2] ^ 0x55);
  for (const std::string& text :
       {std::string("no gzip"),
        good.substr(0, good.size() - 1),
        good + "x",
        flipped,
        squeeze(Coding::deflate, "zlib"),
        std::string()}) {
    const Result<void> refused = compressor.inflate(Coding::gzip, text, 1'000'000, out);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::invalid_argument);
  }
  ASSERT_TRUE(compressor.inflate(Coding::gzip, good, 1'000'000, out));
}

TEST(Compress, ChoosesWhatTheClientAccepts) {
  EXPECT_EQ(accepted_coding("gzip, deflate, br"), Coding::gzip);
  EXPECT_EQ(accepted_coding("deflate,GZIP"), Coding::gzip);
  EXPECT_EQ(accepted_coding("deflate"), Coding::deflate);
  EXPECT_EQ(accepted_coding("gzip;q=0, deflate;q=0.5"), Coding::deflate);
  EXPECT_EQ(accepted_coding("gzip;q=0.000"), Coding::identity);
  EXPECT_EQ(accepted_coding("gzip;q=0.001"), Coding::gzip);
  EXPECT_EQ(accepted_coding("gzip;q=0.5, deflate;q=0.8"), Coding::deflate);
  EXPECT_EQ(accepted_coding("gzip; q=0.8 , deflate ; q=0.75"), Coding::gzip);
  EXPECT_EQ(accepted_coding("gzip;q=0.05, deflate;q=0.1"), Coding::deflate);
  EXPECT_EQ(accepted_coding("gzip;q=0.5, identity;q=0.9"), Coding::identity);
  EXPECT_EQ(accepted_coding("gzip;q=0.9, identity;q=0.9"), Coding::gzip);
  EXPECT_EQ(accepted_coding("gzip;q=0, *"), Coding::deflate);
  EXPECT_EQ(accepted_coding("*"), Coding::gzip);
  EXPECT_EQ(accepted_coding("*;q=0"), Coding::identity);
  EXPECT_EQ(accepted_coding("gzip;q=nonsense"), Coding::gzip);
  EXPECT_EQ(accepted_coding("br, identity"), Coding::identity);
  EXPECT_EQ(accepted_coding(""), Coding::identity);
  EXPECT_EQ(accepted_coding(",,;"), Coding::identity);
}

}  // namespace
}  // namespace weir::http
