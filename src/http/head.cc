#include "http/head.h"

#include <array>
#include <charconv>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "protocol/trace_context.h"

namespace weir::http {
namespace {

using Outcome = HeadScan::Outcome;

constexpr std::uint8_t in_token = 1;
constexpr std::uint8_t in_value = 2;
constexpr std::uint8_t in_target = 4;

// What each byte may be part of: a token, the value of a header, a request's target.
constexpr std::array<std::uint8_t, 256> make_classes() {
  std::array<std::uint8_t, 256> classes{};
  for (std::size_t byte = 0; byte < classes.size(); ++byte) {
    if (byte == '\t' || (byte >= 0x20 && byte != 0x7F)) classes[byte] |= in_value;
    if (byte > 0x20 && byte < 0x7F) classes[byte] |= in_target;
    const bool is_letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
    const bool is_digit = byte >= '0' && byte <= '9';
    if (is_letter || is_digit) classes[byte] |= in_token;
  }
  for (const char c : std::string_view("!#$%&'*+-.^_`|~")) {
    classes[static_cast<std::uint8_t>(c)] |= in_token;
  }
  return classes;
}
constexpr std::array<std::uint8_t, 256> classes = make_classes();

bool is_all(std::string_view text, std::uint8_t wanted) {
  std::uint8_t common = wanted;
  for (const char c : text) common &= classes[static_cast<std::uint8_t>(c)];
  return common != 0;
}

Refusal bad(std::string message) {
  return {400, std::move(message)};
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

Method to_method(std::string_view name) {
  if (name == "GET") return Method::get;
  if (name == "POST") return Method::post;
  if (name == "HEAD") return Method::head;
  if (name == "PUT") return Method::put;
  if (name == "DELETE") return Method::delete_;
  if (name == "OPTIONS") return Method::options;
  if (name == "PATCH") return Method::patch;
  return Method::other;
}

// "http://host/path" is what a proxy is asked; a server answers it too, by the path alone.
std::string_view without_authority(std::string_view target) {
  const std::size_t scheme = target.find("://");
  if (scheme == std::string_view::npos) return target;
  if (!equals_ignoring_case(target.substr(0, scheme), "http") &&
      !equals_ignoring_case(target.substr(0, scheme), "https")) {
    return target;
  }
  const std::size_t path = target.find_first_of("/?", scheme + 3);
  return path == std::string_view::npos ? std::string_view("/") : target.substr(path);
}

std::optional<Refusal> parse_target(std::string_view target, Request& request) {
  if (target.empty() || !is_all(target, in_target)) {
    return bad(
        "the request line has an address with a space or a byte that is not ASCII; "
        "write it as a percent escape"
    );
  }
  const std::string_view whole = target;
  if (target.front() != '/') target = without_authority(target);
  const bool is_absolute = target.size() != whole.size();
  const std::size_t fragment = target.find('#');
  if (fragment != std::string_view::npos) {
    return bad("the address has a '#'; what follows it is for the client alone");
  }
  const std::size_t query = target.find('?');
  request.path = target.substr(0, query);
  request.query = query == std::string_view::npos ? std::string_view() : target.substr(query + 1);
  if (request.path.empty() && is_absolute) request.path = "/";  // "http://host?query"
  if (request.path.starts_with('/') || (request.path == "*" && request.method == Method::options)) {
    return std::nullopt;
  }
  return bad("the address in the request line does not begin with '/'");
}

// METHOD SP target SP HTTP/1.x
std::optional<Refusal> parse_request_line(std::string_view line, Head& head) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) {
    return bad("the first line is not 'METHOD /path HTTP/1.1'");
  }
  const std::string_view method = line.substr(0, first);
  const std::string_view version = line.substr(last + 1);
  if (method.empty() || !is_all(method, in_token)) {
    return bad("the first line does not begin with the name of a method");
  }
  if (version == "HTTP/1.1") {
    head.is_http_1_0 = false;
  } else if (version == "HTTP/1.0") {
    head.is_http_1_0 = true;
  } else if (version.starts_with("HTTP/")) {
    return Refusal{505, "this server speaks HTTP/1.1 and HTTP/1.0"};
  } else {
    return bad("the first line is not 'METHOD /path HTTP/1.1'");
  }
  head.keep_alive = !head.is_http_1_0;
  head.request.method = to_method(method);
  return parse_target(line.substr(first + 1, last - first - 1), head.request);
}

// How often the headers that decide about the framing were seen.
struct Framing {
  bool has_length = false;
  bool has_transfer_encoding = false;
  bool has_host = false;
  bool has_close = false;
};

std::optional<Refusal> read_content_length(std::string_view value, Framing& framing, Head& head) {
  if (std::exchange(framing.has_length, true)) return bad("Content-Length is given twice");
  const auto [end, error] =
      std::from_chars(value.data(), value.data() + value.size(), head.content_length);
  if (error == std::errc::result_out_of_range) {
    return Refusal{413, fmt::format("a body of {} bytes is more than any server takes", value)};
  }
  if (error != std::errc() || end != value.data() + value.size()) {
    return bad("Content-Length is not a number of bytes");
  }
  return std::nullopt;
}

std::optional<Refusal> read_transfer_encoding(
    std::string_view value, Framing& framing, Head& head
) {
  if (std::exchange(framing.has_transfer_encoding, true)) {
    return bad("Transfer-Encoding is given twice");
  }
  if (!equals_ignoring_case(value, "chunked")) {
    return Refusal{
        501,
        "the only Transfer-Encoding of this server is 'chunked'; "
        "compress with Content-Encoding"};
  }
  head.is_chunked = true;
  return std::nullopt;
}

void read_connection(std::string_view value, Framing& framing, Head& head) {
  while (!value.empty()) {
    const std::size_t comma = value.find(',');
    const std::string_view option = trim(value.substr(0, comma));
    if (equals_ignoring_case(option, "close")) framing.has_close = true;
    if (equals_ignoring_case(option, "keep-alive")) head.keep_alive = true;
    value = comma == std::string_view::npos ? std::string_view() : value.substr(comma + 1);
  }
}

Coding to_coding(std::string_view name) {
  if (equals_ignoring_case(name, "identity") || name.empty()) return Coding::identity;
  if (equals_ignoring_case(name, "gzip") || equals_ignoring_case(name, "x-gzip")) {
    return Coding::gzip;
  }
  if (equals_ignoring_case(name, "deflate")) return Coding::deflate;
  return Coding::unknown;
}

// Takes note of the headers that say how to read the request. The length of the name tells most
// others apart without a look at their letters.
std::optional<Refusal> read_header(const Header& header, Framing& framing, Head& head) {
  const auto is = [&](std::string_view name) { return equals_ignoring_case(header.name, name); };
  switch (header.name.size()) {
    case 4:
      if (is("host") && std::exchange(framing.has_host, true)) return bad("Host is given twice");
      break;
    case 5:
      if (is("ce-id") && head.request.id.empty() && protocol::is_request_id(header.value)) {
        head.request.id = header.value;
      }
      break;
    case 6:
      if (!is("expect")) break;
      if (!equals_ignoring_case(header.value, "100-continue")) {
        return Refusal{417, "the only thing that can be expected is '100-continue'"};
      }
      head.expects_continue = true;
      break;
    case 10:
      if (is("connection")) read_connection(header.value, framing, head);
      break;
    case 11:
      if (is("traceparent") && protocol::is_traceparent(header.value)) {
        head.request.traceparent = header.value;
      }
      break;
    case 12:
      if (is("x-request-id") && protocol::is_request_id(header.value)) {
        head.request.id = header.value;
      }
      break;
    case 14:
      if (is("content-length")) return read_content_length(header.value, framing, head);
      break;
    case 15:
      if (is("accept-encoding")) head.accept_encoding = header.value;
      break;
    case 16:
      if (!is("content-encoding")) break;
      // Two codings on top of each other are as unknown as a foreign one.
      head.content_coding =
          head.content_coding == Coding::identity ? to_coding(header.value) : Coding::unknown;
      break;
    case 17:
      if (is("transfer-encoding")) return read_transfer_encoding(header.value, framing, head);
      break;
    default:
      break;
  }
  return std::nullopt;
}

std::optional<Refusal> parse_header(std::string_view line, Header& header) {
  if (line.front() == ' ' || line.front() == '\t') {
    return bad("a header is continued on a second line; write it on one");
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return bad("a header line has no colon");
  header.name = line.substr(0, colon);
  if (header.name.empty() || !is_all(header.name, in_token)) {
    return bad("the name of a header is empty or has a space or a control character in it");
  }
  header.value = trim(line.substr(colon + 1));
  if (!is_all(header.value, in_value)) {
    return bad(fmt::format("header '{}' has a control character in it", header.name));
  }
  return std::nullopt;
}

std::optional<Refusal> check_framing(const Framing& framing, Head& head) {
  if (framing.has_close) head.keep_alive = false;
  if (head.is_chunked && framing.has_length) {
    return bad("both Content-Length and Transfer-Encoding are given; it must be one of them");
  }
  if (head.is_chunked && head.is_http_1_0) {
    return bad("HTTP/1.0 has no Transfer-Encoding; send Content-Length");
  }
  if (!framing.has_host && !head.is_http_1_0) return bad("the header Host is missing");
  if (head.is_http_1_0) head.expects_continue = false;  // It was made for 1.1.
  return std::nullopt;
}

// Cuts the next line off the front, without its CR LF. scan_head has seen that it is there.
std::string_view next_line(std::string_view& bytes) {
  const std::size_t end = bytes.find('\n');
  const std::string_view line = bytes.substr(0, end - 1);
  bytes.remove_prefix(end + 1);
  return line;
}

}  // namespace

HeadScan scan_head(std::string_view bytes, std::size_t scanned) {
  const std::size_t start = bytes.starts_with("\r\n") ? 2 : 0;
  std::size_t from = std::max(scanned, start);
  while (from < bytes.size()) {
    const void* found = std::memchr(bytes.data() + from, '\n', bytes.size() - from);
    if (found == nullptr) return {Outcome::incomplete, bytes.size()};
    const auto end = static_cast<std::size_t>(static_cast<const char*>(found) - bytes.data());
    if (end == 0 || bytes[end - 1] != '\r') return {Outcome::bare_line_feed, 0};
    // The line is empty when its CR LF follows another one.
    if (end >= start + 3 && bytes[end - 2] == '\n') return {Outcome::complete, end + 1};
    from = end + 1;
  }
  return {Outcome::incomplete, bytes.size()};
}

std::optional<Refusal> parse_head(
    std::string_view bytes, const HeadLimits& limits, std::vector<Header>& headers, Head& head
) {
  headers.clear();
  head = Head();
  if (bytes.starts_with("\r\n")) bytes.remove_prefix(2);
  if (auto refusal = parse_request_line(next_line(bytes), head)) return refusal;
  Framing framing;
  for (std::string_view line = next_line(bytes); !line.empty(); line = next_line(bytes)) {
    if (headers.size() == limits.max_headers) {
      return Refusal{431, fmt::format("more than {} headers", limits.max_headers)};
    }
    Header header;
    if (auto refusal = parse_header(line, header)) return refusal;
    if (auto refusal = read_header(header, framing, head)) return refusal;
    headers.push_back(header);
  }
  head.request.headers = headers;
  return check_framing(framing, head);
}

}  // namespace weir::http
