#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "events/cloud_event.h"
#include "net/http_client.h"
#include "serve/recorder.h"

// Sends the requests and answers of an endpoint to an HTTP server as CloudEvents.

namespace weir::events {

struct Options {
  net::Url url;
  enum class Mode : std::uint8_t { all, request, response } mode = Mode::all;
  std::string source = "weir";
  std::string name_space;                            // Of Kubernetes; empty: not said.
  std::size_t queue_max_records = 65'536;            // Rows that wait to be sent; beyond: dropped.
  std::uint64_t queue_max_bytes = 16ULL << 20;       // The same in bytes.
  std::int64_t timeout_us = 5 * us_per_second;       // Of one event.
  std::int64_t max_age_us = 60 * us_per_second;      // An event that waited longer is dropped.
  std::int64_t first_pause_us = us_per_second / 10;  // Before a try again; then twice as long…
  std::int64_t last_pause_us = 5 * us_per_second;    // …up to this.
  std::int64_t drain_us = us_per_second;             // For what waits when the server stops.
};

struct Counts {
  std::uint64_t sent = 0;             // Events that the server took.
  std::uint64_t failures = 0;         // Tries that failed.
  std::uint64_t dropped_full = 0;     // Rows that came when the queue was full.
  std::uint64_t dropped_refused = 0;  // Events that the server does not want (4xx).
  std::uint64_t dropped_expired = 0;  // Events that waited too long…
  std::uint64_t dropped_stopped = 0;  // …or were left when this server stopped.
  std::uint64_t queue_records = 0;
  std::uint64_t queue_bytes = 0;
  std::int64_t oldest_us = 0;  // How long the oldest one has waited.
};

// One server, one kept connection, one thread. Thread-safe.
class Sink {
 public:
  explicit Sink(Options options);
  ~Sink();  // Sends what it can within `drain_us`.
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;

  // Copies the records, or counts them as dropped; never waits for the server.
  void offer(const serve::Version& version, const tensor::Columns& records);
  Counts counts() const;

 private:
  struct Batch {
    std::shared_ptr<const RecordReader> reader;
    tensor::Columns records;
    Moment offered_at = 0;
  };

  std::shared_ptr<const RecordReader> reader_of(const serve::Version& version);
  void run();
  void send_batch(const Batch& batch);
  void send(const Batch& batch, net::ClientRequest request);
  bool wait(std::int64_t pause_us);
  std::uint64_t Counts::*fate(const Batch& batch) const;

  const Options options_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Batch> queue_;
  std::map<std::uint32_t, std::shared_ptr<const RecordReader>> readers_;  // By version.
  Counts counts_;
  Moment in_work_since_ = 0;  // When the batch that is being sent was offered; 0: none is.
  std::int64_t stop_ns_ = 0;  // From then on nothing more is sent; 0: not stopping.
  net::HttpClient client_;    // Only the thread uses it.
  std::thread thread_;
};

// The sinks of all endpoints that have one. Called by the recorder.
class Sinks final : public serve::BatchObserver {
 public:
  explicit Sinks(const std::map<std::string, Options>& options);

  void observe(const serve::Version& version, const tensor::Columns& batch) override;
  // By endpoint.
  std::map<std::string, Counts> counts() const;

 private:
  std::map<std::string, std::unique_ptr<Sink>, std::less<>> sinks_;
};

}  // namespace weir::events
