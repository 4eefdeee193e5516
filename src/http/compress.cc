#include "http/compress.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include <zlib.h>

#include "base/check.h"

namespace weir::http {
namespace {

constexpr int gzip_window_bits = MAX_WBITS + 16;  // zlib's way to ask for a gzip wrapper.
constexpr int fast_level = 1;
constexpr int memory_level = 8;
constexpr std::size_t first_room = 16 * 1024;

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// ";q=0.25" → 250. Who names a coding without a weight that can be read, can read the coding.
int weight_of(std::string_view parameters) {
  constexpr int full = 1000;
  const std::size_t equals = parameters.find('=');
  if (equals == std::string_view::npos) return full;
  std::string_view weight = trim(parameters.substr(equals + 1));
  if (!weight.starts_with('0')) return full;
  weight.remove_prefix(std::min<std::size_t>(weight.size(), 2));
  int thousandths = 0;
  int place = 100;
  for (; !weight.empty() && weight.front() >= '0' && weight.front() <= '9'; place /= 10) {
    thousandths += place * (weight.front() - '0');
    weight.remove_prefix(1);
  }
  return thousandths;
}

Bytef* as_input(std::string_view text) {
  // zlib does not write there; its type is older than const.
  return reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
}

}  // namespace

struct Compressor::Streams {
  z_stream inflating{};
  z_stream deflating[2]{};  // gzip, deflate
  bool is_inflating_ready = false;
  bool is_deflating_ready[2] = {false, false};

  ~Streams() {
    if (is_inflating_ready) inflateEnd(&inflating);
    for (int i = 0; i < 2; ++i) {
      if (is_deflating_ready[i]) deflateEnd(&deflating[i]);
    }
  }
};

Coding accepted_coding(std::string_view accept_encoding) {
  constexpr int unnamed = -1;
  int gzip = unnamed;
  int deflate = unnamed;
  int identity = unnamed;
  int others = unnamed;
  while (!accept_encoding.empty()) {
    const std::size_t comma = accept_encoding.find(',');
    const std::string_view item = accept_encoding.substr(0, comma);
    accept_encoding.remove_prefix(
        comma == std::string_view::npos ? accept_encoding.size() : comma + 1
    );
    const std::size_t semicolon = std::min(item.find(';'), item.size());
    const std::string_view name = trim(item.substr(0, semicolon));
    const int weight = weight_of(item.substr(semicolon));
    if (equals_ignoring_case(name, "gzip")) gzip = weight;
    if (equals_ignoring_case(name, "deflate")) deflate = weight;
    if (equals_ignoring_case(name, "identity")) identity = weight;
    if (name == "*") others = weight;
  }
  const auto or_others = [&](int weight) { return weight == unnamed ? others : weight; };
  gzip = or_others(gzip);
  deflate = or_others(deflate);
  const int best = std::max(gzip, deflate);
  // Where nothing is acceptable, an answer that is not compressed is better than none.
  if (best <= 0 || best < identity) return Coding::identity;
  return gzip == best ? Coding::gzip : Coding::deflate;
}

std::string_view to_string(Coding coding) {
  return coding == Coding::gzip ? "gzip" : "deflate";
}

Compressor::Compressor() = default;
Compressor::~Compressor() = default;

Result<void> Compressor::inflate(
    Coding coding, std::string_view in, std::uint64_t limit, Buffer& out
) {
  if (!streams_) streams_ = std::make_unique<Streams>();
  z_stream& stream = streams_->inflating;
  const int window_bits = coding == Coding::gzip ? gzip_window_bits : MAX_WBITS;
  const int ready = streams_->is_inflating_ready ? inflateReset2(&stream, window_bits)
                                                 : inflateInit2(&stream, window_bits);
  CHECK(ready == Z_OK, "zlib needs some 40 KB once");
  streams_->is_inflating_ready = true;
  CHECK(in.size() <= std::numeric_limits<uInt>::max(), "bodies are limited to less than 4 GiB");
  stream.next_in = as_input(in);
  stream.avail_in = static_cast<uInt>(in.size());
  out.clear();
  out.reserve(std::min<std::uint64_t>(std::max(first_room, in.size() * 4), limit + 1));
  while (true) {
    // One byte more than the limit is room enough to see that it is passed.
    if (out.space().empty()) {
      out.reserve(std::min<std::uint64_t>(out.capacity() * 2, limit + 1));
    }
    const std::span<char> space = out.space();
    stream.next_out = reinterpret_cast<Bytef*>(space.data());
    stream.avail_out =
        static_cast<uInt>(std::min<std::size_t>(space.size(), std::numeric_limits<uInt>::max()));
    const uInt room = stream.avail_out;
    const int outcome = ::inflate(&stream, Z_NO_FLUSH);
    out.add(room - stream.avail_out);
    if (out.size() > limit) {
      out.release();
      return fail(Code::exhausted, "the body has more than {} bytes when decompressed", limit);
    }
    if (outcome == Z_STREAM_END && stream.avail_in == 0) return {};
    if (outcome != Z_OK || (stream.avail_in == 0 && stream.avail_out > 0)) break;
  }
  out.release();
  return fail(
      Code::invalid_argument,
      "the body is not what its Content-Encoding '{}' says: broken, cut off, or followed by more",
      to_string(coding)
  );
}

void Compressor::deflate(Coding coding, std::string_view in, Buffer& out) {
  if (!streams_) streams_ = std::make_unique<Streams>();
  const int which = coding == Coding::gzip ? 0 : 1;
  z_stream& stream = streams_->deflating[which];
  if (!streams_->is_deflating_ready[which]) {
    const int window_bits = coding == Coding::gzip ? gzip_window_bits : MAX_WBITS;
    const int ready = deflateInit2(
        &stream, fast_level, Z_DEFLATED, window_bits, memory_level, Z_DEFAULT_STRATEGY
    );
    CHECK(ready == Z_OK, "zlib needs some 270 KB once");
    streams_->is_deflating_ready[which] = true;
  } else {
    deflateReset(&stream);
  }
  CHECK(in.size() <= std::numeric_limits<uInt>::max() / 2, "answers have less than 2 GiB");
  out.clear();
  out.reserve(deflateBound(&stream, static_cast<uLong>(in.size())));
  stream.next_in = as_input(in);
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.capacity());
  const int outcome = ::deflate(&stream, Z_FINISH);
  CHECK(outcome == Z_STREAM_END, "deflateBound says how much room is enough");
  out.add(out.capacity() - stream.avail_out);
}

}  // namespace weir::http
