// What a client may send, given to a connection in pieces. The first byte says how large the pieces
// are, the second what the handler and the client do; the rest is what arrives.
//
// Checked, beside what the sanitizers see: the same bytes make the same requests however they
// arrive; a connection whose client has closed its side ends; nothing stays behind in memory.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "http/scripted_connection.h"

namespace {

using weir::http::Admission;
using weir::http::Exchange;
using weir::http::Request;
using weir::http::ScriptedConnection;
using weir::http::ScriptedLoop;
using weir::http::ServerOptions;

constexpr std::uint64_t max_body_bytes = 4096;

enum Conduct : std::uint8_t { answers_later = 1, streams = 2, refuses = 4, reads_slowly = 8 };

class FuzzHandler final : public weir::http::Handler {
 public:
  explicit FuzzHandler(std::uint8_t conduct) : conduct_(conduct) {}

  Admission admit(const Request& head, std::uint64_t) override {
    if ((conduct_ & refuses) != 0 && head.path.size() % 2 == 0) return {503, "full", 0};
    return {};
  }
  void handle(Exchange& exchange) override {
    const Request& request = exchange.request();
    CHECK(request.body.size() <= max_body_bytes, "no body is larger than its limit");
    std::string all(to_string(request.method));
    for (const std::string_view part : {request.path, request.query, request.body}) {
      all += ' ';
      all += part;
    }
    for (const weir::http::Header& header : request.headers) {
      all.append(header.name).append(":").append(header.value);
    }
    // Parsers read beyond the end of a body.
    for (std::size_t i = 0; i < weir::http::Buffer::padding; ++i) {
      beyond_ = static_cast<char>(beyond_ ^ request.body.data()[request.body.size() + i]);
    }
    requests.push_back(std::move(all));
    if ((conduct_ & streams) != 0) {
      exchange.begin_stream(200, "text/plain");
      exchange.send("part");
      exchange.loop().post([&exchange] {
        exchange.send("another");
        exchange.finish_stream();
      });
    } else if ((conduct_ & answers_later) != 0) {
      exchange.loop().post([&exchange] { exchange.respond(200, "text/plain", "later", {}); });
    } else {
      exchange.respond(200, "text/plain", request.body, {});
    }
  }

  std::vector<std::string> requests;

 private:
  const std::uint8_t conduct_;
  char beyond_ = 0;
};

std::vector<std::string> run(std::string_view bytes, std::uint8_t conduct, std::size_t piece) {
  FuzzHandler handler(conduct);
  ServerOptions options;
  options.max_head_bytes = 1024;
  options.max_headers = 16;
  options.max_body_bytes = max_body_bytes;
  options.max_discarded_bytes = 128;
  options.compress_min_bytes = 64;
  ScriptedLoop loop(options, handler);
  {
    ScriptedConnection connection(loop.context());
    connection.start();
    if ((conduct & reads_slowly) != 0) connection.room = 100;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      loop.send(connection, bytes.substr(at, piece));
    }
    loop.end(connection);
    for (int i = 0; i < 1000 && !connection.is_finished(); ++i) loop.make_room(connection, 1000);
    CHECK(connection.is_finished(), "a connection ends with its client");
    CHECK(loop.buffered_bytes() == 0, "a connection that has ended holds nothing");
  }
  return handler.requests;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t piece = data[0] == 0 ? 1 : data[0];
  const std::uint8_t conduct = data[1] & 0x0F;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::vector<std::string> at_once = run(bytes, conduct, SIZE_MAX / 2);
  const std::vector<std::string> in_pieces = run(bytes, conduct, piece);
  // A refused client that waits for "100 Continue" is cut off if its body has not arrived, so then
  // it matters how the bytes arrive.
  if ((conduct & refuses) == 0) {
    CHECK(at_once == in_pieces, "requests do not depend on how they arrive");
  }
  return 0;
}
