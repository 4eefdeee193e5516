#include "events/sink.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

namespace weir::events {
namespace {

constexpr std::size_t max_readers = 64;
constexpr const char* request_type = "org.kubeflow.serving.inference.request";
constexpr const char* response_type = "org.kubeflow.serving.inference.response";

// The server does not want this event, whenever it comes.
bool is_refusal(int status) {
  return status >= 400 && status < 500 && status != 408 && status != 429;
}

}  // namespace

Sink::Sink(Options options)
    : options_(std::move(options)),
      client_(
          options_.url,
          {.connect_timeout_us = options_.timeout_us,
           .timeout_us = options_.timeout_us,
           .max_answer_bytes = 1 << 20}
      ),
      thread_([this] { run(); }) {}

Sink::~Sink() {
  {
    const std::lock_guard lock(mutex_);
    stop_ns_ = monotonic_ns() + options_.drain_us * 1000;
  }
  wake_.notify_all();
  thread_.join();
}

std::shared_ptr<const RecordReader> Sink::reader_of(const serve::Version& version) {
  auto& reader = readers_[version.number()];
  if (reader == nullptr) {
    reader = std::make_shared<const RecordReader>(version);
    if (readers_.size() > max_readers) {
      const auto kept = reader;
      readers_.clear();
      return kept;
    }
  }
  return reader;
}

void Sink::offer(const serve::Version& version, const tensor::Columns& records) {
  const std::uint64_t bytes = records.size_bytes();
  {
    const std::lock_guard lock(mutex_);
    const bool is_full = counts_.queue_records + records.rows() > options_.queue_max_records ||
                         counts_.queue_bytes + bytes > options_.queue_max_bytes;
    if (is_full) {
      counts_.dropped_full += records.rows();
      return;
    }
    counts_.queue_records += records.rows();
    counts_.queue_bytes += bytes;
    queue_.push_back({reader_of(version), records, now_us()});
  }
  wake_.notify_all();
}

Counts Sink::counts() const {
  const std::lock_guard lock(mutex_);
  Counts counts = counts_;
  const Moment oldest = in_work_since_ != 0 ? in_work_since_
                        : queue_.empty()    ? 0
                                            : queue_.front().offered_at;
  if (oldest != 0) counts.oldest_us = std::max<std::int64_t>(0, now_us() - oldest);
  return counts;
}

void Sink::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return !queue_.empty() || stop_ns_ != 0; });
    if (queue_.empty()) return;
    const Batch batch = std::move(queue_.front());
    queue_.pop_front();
    in_work_since_ = batch.offered_at;
    lock.unlock();
    send_batch(batch);
    lock.lock();
    in_work_since_ = 0;
    counts_.queue_records -= batch.records.rows();
    counts_.queue_bytes -= batch.records.size_bytes();
  }
}

void Sink::send_batch(const Batch& batch) {
  using Mode = Options::Mode;
  const tensor::Columns& records = batch.records;
  for (std::size_t begin = 0; begin < records.rows();) {
    const std::size_t end = RecordReader::end_of_request(records, begin);
    if (RecordReader::is_answer(records, begin)) {
      RecordReader::Headers headers = batch.reader->headers(records, begin);
      headers.emplace_back("ce-source", header_value(options_.source));
      if (!options_.name_space.empty()) {
        headers.emplace_back("ce-namespace", header_value(options_.name_space));
      }
      const auto [arrived, answered] = RecordReader::times(records, begin);
      const auto send_one = [&](const char* type, Moment time, const std::string& body) {
        net::ClientRequest request;
        request.method = "POST";
        request.target = options_.url.path.empty() ? "/" : options_.url.path;
        request.headers = headers;
        request.headers.emplace_back("ce-type", type);
        request.headers.emplace_back("ce-time", to_rfc3339(time));
        request.body = body;
        request.content_type = "application/json";
        send(batch, std::move(request));
      };
      if (options_.mode != Mode::response) {
        send_one(request_type, arrived, batch.reader->request_body(records, begin, end));
      }
      if (options_.mode != Mode::request) {
        send_one(response_type, answered, batch.reader->response_body(records, begin, end));
      }
    }
    begin = end;
  }
}

// What an event of this batch is counted as when it is not sent now; null while it may be.
std::uint64_t Counts::*Sink::fate(const Batch& batch) const {
  if (stop_ns_ != 0 && monotonic_ns() >= stop_ns_) return &Counts::dropped_stopped;
  if (now_us() - batch.offered_at > options_.max_age_us) return &Counts::dropped_expired;
  return nullptr;
}

void Sink::send(const Batch& batch, net::ClientRequest request) {
  std::int64_t pause_us = options_.first_pause_us;
  while (true) {
    {
      const std::lock_guard lock(mutex_);
      if (std::uint64_t Counts::*const dropped = fate(batch)) {
        ++(counts_.*dropped);
        return;
      }
      if (stop_ns_ != 0) {
        request.timeout_us = std::max<std::int64_t>(1, (stop_ns_ - monotonic_ns()) / 1000);
      }
    }
    const Result<net::ClientResponse> answer = client_.send(request);
    {
      const std::lock_guard lock(mutex_);
      const bool is_taken = answer && answer->status < 300;
      const bool is_refused = answer && is_refusal(answer->status);
      if (is_taken || is_refused) {
        ++(is_taken ? counts_.sent : counts_.dropped_refused);
        return;
      }
      ++counts_.failures;
    }
    if (!wait(pause_us)) continue;
    pause_us = std::min(pause_us * 2, options_.last_pause_us);
  }
}

// False when the server stops meanwhile.
bool Sink::wait(std::int64_t pause_us) {
  std::unique_lock lock(mutex_);
  if (stop_ns_ != 0) {
    // There is little time left, and trying without a pause would help nobody.
    stop_ns_ = std::min(stop_ns_, monotonic_ns());
    return false;
  }
  return !wake_.wait_for(lock, std::chrono::microseconds(pause_us), [this] {
    return stop_ns_ != 0;
  });
}

Sinks::Sinks(const std::map<std::string, Options>& options) {
  for (const auto& [endpoint, sink] : options) {
    sinks_.emplace(endpoint, std::make_unique<Sink>(sink));
  }
}

void Sinks::observe(const serve::Version& version, const tensor::Columns& batch) {
  const auto found = sinks_.find(version.endpoint());
  if (found != sinks_.end()) found->second->offer(version, batch);
}

std::map<std::string, Counts> Sinks::counts() const {
  std::map<std::string, Counts> all;
  for (const auto& [endpoint, sink] : sinks_) all.emplace(endpoint, sink->counts());
  return all;
}

}  // namespace weir::events
