#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "net/url.h"

namespace weir::net {

struct ClientOptions {
  std::int64_t connect_timeout_us = 5 * us_per_second;
  std::int64_t timeout_us = 60 * us_per_second;  // From the request to the end of its answer.
  std::uint64_t max_answer_bytes = 256ULL << 20;
};

struct ClientRequest {
  std::string_view method = "GET";
  std::string target;  // Path and query, percent-encoded.
  std::vector<std::pair<std::string, std::string>> headers;
  std::string_view body;
  std::string_view content_type;
  std::int64_t timeout_us = 0;  // Less time than the client's for this one; 0: the client's.
};

struct ClientResponse {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  // As they came.
  std::string body;

  // The first header of that name, any letter case; empty when absent.
  std::string_view header(std::string_view name) const;
};

// An HTTP/1.1 client with one connection, which it keeps and renews when the server has closed it.
// One thread at a time.
class HttpClient {
 public:
  HttpClient(Url url, const ClientOptions& options);
  HttpClient(HttpClient&&) noexcept;
  HttpClient& operator=(HttpClient&&) noexcept;
  ~HttpClient();

  const Url& url() const;

  // Any status is an answer; an error means that there was none: unavailable (cannot connect, cut
  // off), deadline, exhausted (the answer is too large). A request on a kept connection that the
  // server closed before it answered a single byte is sent once more on a new one.
  Result<ClientResponse> send(const ClientRequest& request);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::net
