#include "http/chunked.h"

#include <string>

#include <gtest/gtest.h>

namespace weir::http {
namespace {

using Outcome = ChunkedDecoder::Outcome;

struct Decoded {
  Outcome outcome = Outcome::more;
  std::string data;
  std::string rest;
};

// Feeds the text in pieces of that size.
Decoded decode(std::string_view text, std::size_t piece = SIZE_MAX, std::uint64_t extra = 100) {
  ChunkedDecoder decoder(extra);
  Decoded decoded;
  std::size_t at = 0;
  while (at < text.size()) {
    std::string_view input = text.substr(at, piece);
    at += input.size();
    while (true) {
      const ChunkedDecoder::Step step = decoder.step(input);
      decoded.data += step.data;
      decoded.outcome = step.outcome;
      input.remove_prefix(step.consumed);
      if (step.outcome != Outcome::more) {
        decoded.rest = std::string(input) + std::string(text.substr(at));
        return decoded;
      }
      if (input.empty() && step.data.empty()) break;
    }
  }
  return decoded;
}

TEST(Chunked, JoinsTheChunksHoweverTheyArrive) {
  const std::string text =
      "3\r\nabc\r\n1a;name=\"value\"\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nTrailer: x\r\nY:\r\n\r\n"
      "GET /";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    const Decoded decoded = decode(text, piece);
    ASSERT_EQ(decoded.outcome, Outcome::done) << piece;
    ASSERT_EQ(decoded.data, "abcabcdefghijklmnopqrstuvwxyz");
    ASSERT_EQ(decoded.rest, "GET /");
  }
}

TEST(Chunked, MayBeEmpty) {
  EXPECT_EQ(decode("0\r\n\r\n").outcome, Outcome::done);
  EXPECT_EQ(decode("000\r\n\r\n").outcome, Outcome::done);
}

TEST(Chunked, WaitsForTheRest) {
  const std::string text = "3\r\nabc\r\n0\r\nA: b\r\n\r\n";
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_EQ(decode(text.substr(0, size)).outcome, Outcome::more) << size;
  }
}

TEST(Chunked, RefusesASizeThatIsNone) {
  for (const char* text :
       {"\r\n",
        "g\r\n",
        "-1\r\n",
        "+1\r\n",
        "0x1\r\n",
        " 1\r\n",
        "1 \r\n",
        "1\t;x\r\n",
        ";x\r\n",
        "1,1\r\n"}) {
    EXPECT_EQ(decode(text).outcome, Outcome::malformed) << text;
  }
}

TEST(Chunked, RefusesASizeThatOverflows) {
  EXPECT_EQ(decode("fffffffffffffff\r\n").outcome, Outcome::more);
  EXPECT_EQ(decode("10000000000000000\r\n").outcome, Outcome::malformed);
  EXPECT_EQ(decode("fffffffffffffffff\r\n").outcome, Outcome::malformed);
}

TEST(Chunked, RefusesLineEndsOfAnotherKind) {
  for (const char* text :
       {"1\na\r\n0\r\n\r\n",
        "1\r\na\n0\r\n\r\n",
        "1;x\na\r\n0\r\n\r\n",
        "1\r\na\r\n0\n\r\n",
        "1\r\na\r\n0\r\n\n",
        "1\r\na\r\n0\r\nA: b\n\r\n",
        "1\r\r\na\r\n0\r\n\r\n",
        "1\r\na\r0\r\n\r\n"}) {
    EXPECT_EQ(decode(text).outcome, Outcome::malformed) << text;
  }
}

TEST(Chunked, RefusesDataLongerThanItsSize) {
  EXPECT_EQ(decode("1\r\nab\r\n0\r\n\r\n").outcome, Outcome::malformed);
}

TEST(Chunked, RefusesControlCharactersAndFoldsOutsideTheData) {
  using std::string_literals::operator""s;
  EXPECT_EQ(decode("1;\0\r\na\r\n0\r\n\r\n"s).outcome, Outcome::malformed);
  EXPECT_EQ(decode("0\r\nA\0: b\r\n\r\n"s).outcome, Outcome::malformed);
  EXPECT_EQ(decode("0\r\nA: b\r\n c\r\n\r\n").outcome, Outcome::malformed);
  EXPECT_EQ(decode("1\r\n\0\r\n0\r\n\r\n"s).data, "\0"s);
}

TEST(Chunked, LimitsExtensionsTrailersAndZeros) {
  EXPECT_EQ(decode("1;abc\r\na\r\n0\r\n\r\n", SIZE_MAX, 4).outcome, Outcome::done);
  EXPECT_EQ(decode("1;abc\r\na\r\n0\r\n\r\n", SIZE_MAX, 3).outcome, Outcome::malformed);
  EXPECT_EQ(decode("0\r\nA:b\r\n\r\n", SIZE_MAX, 4).outcome, Outcome::done);
  EXPECT_EQ(decode("0\r\nA:b\r\n\r\n", SIZE_MAX, 3).outcome, Outcome::malformed);
  EXPECT_EQ(decode("0001\r\na\r\n0\r\n\r\n", SIZE_MAX, 3).outcome, Outcome::done);
  EXPECT_EQ(decode("0001\r\na\r\n0\r\n\r\n", SIZE_MAX, 2).outcome, Outcome::malformed);
}

}  // namespace
}  // namespace weir::http
