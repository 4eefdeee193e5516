#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "app/demo_data.h"
#include "base/result.h"
#include "net/http_client.h"

namespace weir::app {

// Plays the rows to a server as clients would: predictions over a few connections, in order of time
// within a block, and each label when the row after it has been predicted. One thread at a time.
class DemoTraffic {
 public:
  static constexpr std::size_t connections = 4;
  static constexpr std::size_t block_rows = 32;

  DemoTraffic(const net::Url& server, const std::vector<DemoRow>& rows);
  ~DemoTraffic();

  // Predicts the next block and sends the labels that are known by then. False at the end of the
  // data; an error when the server refuses.
  Result<bool> play_block();

  std::size_t next_row() const { return next_row_; }
  void start_at(std::size_t row);

 private:
  Result<void> predict(std::size_t begin, std::size_t end);
  Result<void> send_labels(std::size_t end);

  const std::vector<DemoRow>& rows_;
  std::vector<net::HttpClient> clients_;
  std::size_t next_row_ = 0;
  std::size_t next_label_ = 0;
};

}  // namespace weir::app
