#include "ledger/ledger.h"

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <future>
#include <mutex>
#include <thread>
#include <utility>

#include "base/log.h"
#include "ledger/catalog.h"
#include "ledger/feedback_log.h"
#include "ledger/maintenance.h"
#include "ledger/recovery.h"
#include "ledger/segment_log.h"

namespace weir::ledger {
namespace {

constexpr std::int64_t look_interval_us = 60 * us_per_second;

std::chrono::microseconds us(std::int64_t count) {
  return std::chrono::microseconds(count);
}

SegmentLog::Options log_options(const Options& options, SegmentKind kind) {
  return {
      .kind = kind,
      .max_bytes = options.segment_max_bytes,
      .max_age_us = options.segment_max_age_us,
      .retry_interval_us = options.retry_interval_us,
      // Feedback may use what is kept free: it is little, and it is asked to be safe.
      .min_free_bytes = kind == SegmentKind::records ? options.min_free_bytes : 0};
}

Maintenance::Options maintenance_options(const Options& options) {
  return {
      .compaction_max_bytes = options.compaction_max_bytes,
      .merge_files = options.merge_files,
      .merge_max_bytes = options.merge_max_bytes,
      .merge_days = options.merge_days,
      .retention_us = options.retention_us,
      .retention_max_bytes = options.retention_max_bytes};
}

Result<void> check_batch(const Options& options, const tensor::Columns& columns) {
  const std::size_t limit = std::min(options.max_block_bytes, max_block_bytes);
  if (columns.rows() <= max_block_rows && columns.size_bytes() <= limit) return {};
  return fail(
      Code::invalid_argument,
      "a batch of {} rows and {} bytes is too large for the ledger, which takes {} rows and {} "
      "bytes",
      columns.rows(),
      columns.size_bytes(),
      max_block_rows,
      limit
  );
}

}  // namespace

struct Ledger::Impl {
  Impl(Options given, FileSystem& file_system, table::Worker* sql_worker, Writers taken)
      : options(std::move(given)),
        files(file_system),
        worker(sql_worker),
        writers(std::move(taken)),
        catalog(options.folder),
        maintenance(maintenance_options(options), workshop()) {}
  ~Impl();

  FileStem next_stem() { return {writers.own, sequence.fetch_add(1) + 1}; }
  Workshop workshop();
  void start();
  void run_sync();
  void run_maintenance();
  void maintain_once();

  Options options;
  FileSystem& files;
  table::Worker* worker;
  Writers writers;
  Catalog catalog;
  std::atomic<std::uint64_t> sequence{0};
  Recovered recovered;
  std::atomic<bool> is_stopping{false};
  Maintenance maintenance;
  std::optional<SegmentLog> records;
  std::optional<SegmentLog> feedback;
  std::optional<FeedbackLog> feedback_log;

  // Of the maintenance thread.
  std::uint64_t seen_version = 0;
  Moment looked_at = 0;

  std::mutex mutex;
  std::condition_variable wake_sync;
  std::condition_variable wake_maintenance;
  std::vector<Done> sync_callbacks;
  std::optional<Error> untold_sync_error;  // Of a sync that nobody waited for.
  std::thread sync_thread;
  std::thread maintenance_thread;
};

Workshop Ledger::Impl::workshop() {
  return {
      .files = files,
      .catalog = catalog,
      .run_sql = [this](std::string_view sql) -> Result<std::uint64_t> {
        if (worker == nullptr) {
          return fail(Code::unavailable, "there is no worker that writes Parquet");
        }
        if (is_stopping) return fail(Code::unavailable, "the ledger is closing");
        return worker->execute(sql);
      },
      .next_stem = [this] { return next_stem(); },
      .is_stopping = [this] { return is_stopping.load(); }};
}

void Ledger::Impl::start() {
  const auto stem = [this] { return next_stem(); };
  records.emplace(log_options(options, SegmentKind::records), files, catalog, stem);
  feedback.emplace(log_options(options, SegmentKind::feedback), files, catalog, stem);
  feedback_log.emplace(*feedback, options.max_feedback_waiting);
  sync_thread = std::thread([this] { run_sync(); });
  if (options.maintain) maintenance_thread = std::thread([this] { run_maintenance(); });
}

Ledger::Impl::~Impl() {
  {
    const std::scoped_lock lock(mutex);
    is_stopping = true;
  }
  wake_sync.notify_one();
  wake_maintenance.notify_one();
  if (maintenance_thread.joinable()) {
    // A compaction may take minutes; what is cut short here starts again next time.
    if (worker != nullptr) worker->stop();
    maintenance_thread.join();
  }
  if (sync_thread.joinable()) sync_thread.join();
  feedback_log.reset();
  feedback.reset();
  records.reset();
}

void Ledger::Impl::run_sync() {
  for (;;) {
    std::vector<Done> callbacks;
    bool is_last = false;
    {
      std::unique_lock lock(mutex);
      wake_sync.wait_for(lock, us(options.sync_interval_us), [this] {
        return is_stopping || !sync_callbacks.empty();
      });
      callbacks = std::exchange(sync_callbacks, {});
      is_last = is_stopping;
    }
    records->seal_if_old();
    feedback->seal_if_old();
    Result<void> synced = records->sync();
    // A failed sync may concern records whose writer asks only now: the next one who asks is told.
    if (!callbacks.empty() && synced && untold_sync_error) {
      synced = tl::unexpected(*untold_sync_error);
      untold_sync_error.reset();
    } else if (!synced) {
      untold_sync_error = callbacks.empty() ? std::optional(synced.error()) : std::nullopt;
    }
    for (const Done& done : callbacks) done(synced);
    if (is_last) return;
  }
}

void Ledger::Impl::maintain_once() {
  // Looking through all files is for when there are new ones, and for what grows old by itself.
  const std::uint64_t version = catalog.version();
  const Moment now = now_us();
  const bool is_due = version != seen_version || now - looked_at > look_interval_us;
  if (is_due) {
    maintenance.expire(now, records->state().open_bytes + feedback->state().open_bytes);
    seen_version = version;
    looked_at = now;
  }
  if (worker == nullptr) return;
  if (auto compacted = maintenance.compact(); !compacted)
    return;  // It is logged and in the status.
  if (is_due) (void)maintenance.merge();
}

void Ledger::Impl::run_maintenance() {
  // After a failure it waits longer, up to a minute: a worker that cannot start must not be tried
  // every second.
  std::int64_t interval = options.maintain_interval_us;
  std::unique_lock lock(mutex);
  while (!is_stopping) {
    wake_maintenance.wait_for(lock, us(interval), [this] { return is_stopping.load(); });
    if (is_stopping) return;
    lock.unlock();
    maintain_once();
    const bool is_well = maintenance.counts().failure.empty();
    interval =
        is_well
            ? options.maintain_interval_us
            : std::min<std::int64_t>(std::max<std::int64_t>(interval, 1) * 2, 60 * us_per_second);
    lock.lock();
  }
}

Ledger::Ledger(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Ledger::~Ledger() = default;

Result<std::unique_ptr<Ledger>> Ledger::open(
    Options options, FileSystem& files, table::Worker* worker
) {
  // A worker resolves paths by itself, so they do not depend on where this process was started.
  std::error_code error;
  const auto absolute = std::filesystem::absolute(options.folder, error).lexically_normal();
  if (error) return fail(Code::unavailable, "'{}': {}", options.folder, error.message());
  options.folder = absolute.string();
  TRY(check_format(files, options.folder));
  Writers writers = TRY(take_writers(files, options.folder));
  auto impl = std::make_unique<Impl>(std::move(options), files, worker, std::move(writers));
  impl->recovered = TRY(recover(files, impl->writers, impl->catalog));
  impl->sequence = impl->recovered.last_sequence;
  impl->start();
  return std::unique_ptr<Ledger>(new Ledger(std::move(impl)));
}

Result<void> Ledger::write(std::string_view endpoint, const tensor::Columns& columns) {
  if (columns.rows() == 0) return {};
  TRY(check_batch(impl_->options, columns));
  if (auto name = encode_endpoint(endpoint); !name) return tl::unexpected(name.error());
  return impl_->records->append(endpoint, columns);
}

void Ledger::when_synced(Done done) {
  {
    const std::scoped_lock lock(impl_->mutex);
    impl_->sync_callbacks.push_back(std::move(done));
  }
  impl_->wake_sync.notify_one();
}

Result<void> Ledger::append_feedback(
    std::string_view endpoint, std::span<const Feedback> feedback
) {
  std::promise<Result<void>> promise;
  auto future = promise.get_future();
  append_feedback(
      endpoint,
      std::vector<Feedback>(feedback.begin(), feedback.end()),
      [&promise](Result<void> result) { promise.set_value(std::move(result)); }
  );
  return future.get();
}

void Ledger::append_feedback(std::string_view endpoint, std::vector<Feedback> feedback, Done done) {
  auto name = encode_endpoint(endpoint);
  if (!name) {
    done(tl::unexpected(name.error()));
    return;
  }
  impl_->feedback_log->append(endpoint, std::move(feedback), std::move(done));
}

Snapshot Ledger::snapshot() const {
  Snapshot snapshot = impl_->catalog.snapshot();
  auto others = list_others(impl_->options.folder, impl_->writers.all);
  if (!others) {
    LOG(warning, "ledger: {}", others.error().message);
    return snapshot;
  }
  for (const CatalogEntry& entry : *others) add_to_snapshot(snapshot, impl_->catalog, entry);
  return snapshot;
}

Result<void> Ledger::compact() {
  impl_->records->seal();
  impl_->feedback->seal();
  return impl_->maintenance.compact();
}

Result<std::uint64_t> Ledger::erase(
    std::optional<std::string_view> endpoint, std::uint64_t key_hash
) {
  impl_->records->seal();
  impl_->feedback->seal();
  return impl_->maintenance.erase(endpoint, key_hash);
}

LedgerStatus Ledger::status() const {
  const SegmentLog::State records = impl_->records->state();
  const SegmentLog::State feedback = impl_->feedback->state();
  const FeedbackLog::Counts feedback_counts = impl_->feedback_log->counts();
  const Catalog::Totals totals = impl_->catalog.totals();
  const Maintenance::Counts maintenance = impl_->maintenance.counts();
  LedgerStatus status;
  status.writing = !records.failure;
  if (records.failure) status.failure = records.failure->message;
  status.failing_since = records.failing_since;
  if (feedback.failure) status.feedback_failure = feedback.failure->message;
  status.rows_written = records.rows;
  status.bytes_written = records.bytes + feedback.bytes;
  status.write_errors = records.errors;
  status.feedback_written = feedback_counts.written;
  status.feedback_errors = feedback_counts.errors;
  if (records.unsynced_since_ns != 0) {
    status.sync_age_us = (monotonic_ns() - records.unsynced_since_ns) / 1'000;
  }
  status.sync_failure = records.sync_failure.empty() ? feedback.sync_failure : records.sync_failure;
  status.segments = totals.segments;
  status.segment_bytes = totals.sealed_segment_bytes + records.open_bytes + feedback.open_bytes;
  status.parquet_files = totals.parquet_files;
  status.parquet_bytes = totals.parquet_bytes;
  status.torn_bytes = impl_->recovered.torn_bytes;
  status.damaged_blocks = impl_->recovered.damaged_blocks;
  status.backlog_segments = totals.sealed_segments;
  status.compactions = maintenance.compactions;
  status.compacted_rows = maintenance.compacted_rows;
  status.merges = maintenance.merges;
  status.erased_rows = maintenance.erased_rows;
  status.expired_files = maintenance.expired_files;
  status.lost_rows = maintenance.lost_rows;
  status.compaction_failure = maintenance.failure;
  return status;
}

}  // namespace weir::ledger
