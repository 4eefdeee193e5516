#include "app/batch_command.h"

#include <cstdio>
#include <filesystem>
#include <optional>
#include <thread>

#include <boost/json.hpp>
#include <unistd.h>

#include "base/file.h"
#include "batch/job.h"
#include "cli/print.h"
#include "cli/text_table.h"
#include "control/routing.h"
#include "control/stored_endpoints.h"
#include "ledger/ledger.h"
#include "model/catalog.h"
#include "serve/predictor.h"
#include "store/lease.h"

namespace weir::app {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

// What is predicted with.
struct Model {
  std::shared_ptr<const serve::Version> version;
  std::vector<std::string> endpoint_features;
};

Result<Model> load(
    serve::VersionIdentity identity, const std::string& path, std::vector<std::string> features
) {
  auto session = TRY(model::load_session(path, {}));
  Model model;
  model.version = std::make_shared<const serve::Version>(
      std::move(identity),
      std::move(session),
      serve::VersionLimits{},
      features,
      std::vector<std::string>{}
  );
  model.endpoint_features = std::move(features);
  return model;
}

Result<Model> load_file(const cli::BatchArguments& arguments) {
  if (arguments.record) {
    return fail(
        Code::invalid_argument,
        "--record keeps records of an endpoint's version, and '{}' is a file; deploy it to an "
        "endpoint and name that one",
        arguments.model
    );
  }
  const std::string bytes = TRY(system_files().read(arguments.model));
  const auto sidecar = system_files().read(arguments.model + ".yaml");
  serve::VersionIdentity identity{
      .endpoint = fs::path(arguments.model).stem().string(),
      .number = 1,
      .sha256 = model::artifact_hash(bytes, sidecar ? *sidecar : std::string()),
      .name = ""};
  return load(std::move(identity), arguments.model, {});
}

// ENDPOINT or ENDPOINT/VERSION of a data folder. A server may be at work on it: this only reads.
Result<Model> load_endpoint(const cli::BatchArguments& arguments) {
  const fs::path data = fs::absolute(arguments.data);
  const std::string store_path = (data / "store.sqlite").string();
  std::error_code error;
  if (!fs::exists(store_path, error)) {
    return fail(
        Code::not_found,
        "'{}' is no file, and no endpoint either: '{}' is no data folder (see --data)",
        arguments.model,
        arguments.data
    );
  }
  const auto store = TRY(store::open_sqlite(store_path));
  std::string name = arguments.model;
  std::string number;
  if (const std::size_t slash = name.rfind('/'); slash != std::string::npos) {
    number = name.substr(slash + 1);
    name.resize(slash);
  }
  const control::EndpointState state = TRY(control::stored_endpoint(*store, name));
  const control::VersionEntry* entry = state.find(state.primary);
  if (!number.empty()) {
    entry = nullptr;
    for (const control::VersionEntry& known : state.versions) {
      if (fmt::format("{}", known.number) == number) entry = &known;
    }
  }
  if (entry == nullptr) {
    return fail(
        Code::not_found,
        "endpoint '{}' has no version '{}'; 'weir model show {}' lists them",
        name,
        number,
        name
    );
  }
  const model::Catalog catalog =
      TRY(model::Catalog::open({.folder = (data / "artifacts").string()}));
  const model::Artifact artifact = TRY(catalog.find(entry->sha256));
  serve::VersionIdentity identity{
      .endpoint = name, .number = entry->number, .sha256 = entry->sha256, .name = entry->name};
  return load(std::move(identity), artifact.path, state.features);
}

// Where records go when they are wanted.
struct Records {
  std::optional<store::Lease> lease;
  std::unique_ptr<ledger::Ledger> ledger;
};

Result<Records> open_records(
    const cli::BatchArguments& arguments, const std::string& command_line
) {
  Records records;
  if (!arguments.record) return records;
  records.lease = TRY(store::acquire_lease(arguments.data, command_line));
  ledger::Options options;
  options.folder = (fs::absolute(arguments.data) / "ledger").string();
  // The next server makes Parquet of the segments.
  options.maintain = false;
  records.ledger = TRY(ledger::Ledger::open(options));
  return records;
}

// The way of a request without a server around it: one endpoint, whose primary is the version.
class RequestPath {
 public:
  RequestPath(const std::shared_ptr<const serve::Version>& version, ledger::Ledger* ledger)
      : recorder_(recorder_options(), ledger, {}), shadows_({}, recorder_, comparison_) {
    auto route = std::make_shared<serve::EndpointRoute>();
    route->name = version->endpoint();
    route->primary = control::make_lane(version, rollout::Arm::primary, registry_);
    auto table = std::make_shared<serve::RouteTable>();
    table->emplace(route->name, std::move(route));
    routes_.publish(std::move(table));
  }

  serve::Predictor& predictor() { return predictor_; }
  serve::Recorder& recorder() { return recorder_; }
  // Waits for the disk before its queue is full: nobody else waits here.
  void wait_for_disk() {
    if (recorder_.counts().queue_bytes > recorder_options().queue_max_bytes / 4) recorder_.flush();
  }

 private:
  static serve::RecorderOptions recorder_options() {
    serve::RecorderOptions options;
    options.queue_max_bytes = 256ULL << 20;
    return options;
  }

  metrics::Registry registry_;
  serve::Admission admission_{{}};
  serve::Routes routes_;
  serve::Comparison comparison_;
  serve::Recorder recorder_;
  serve::Shadows shadows_;
  serve::Predictor predictor_{admission_, routes_, recorder_, shadows_};
};

std::string time_text(double seconds) {
  const auto whole = static_cast<std::int64_t>(seconds + 0.5);
  if (whole >= 3600)
    return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

// One line on the terminal that is written again and again.
class ProgressLine {
 public:
  void show(const batch::Progress& progress) {
    constexpr std::int64_t pause_us = 200'000;
    if (!is_terminal_ || progress.running_us - shown_us_ < pause_us) return;
    shown_us_ = progress.running_us;
    const double seconds = static_cast<double>(progress.running_us) / 1e6;
    const double rate = static_cast<double>(progress.rows - progress.resumed) / seconds;
    std::string line = cli::with_commas(progress.rows);
    if (progress.total && progress.total->rows >= progress.rows && rate > 0) {
      const table::RowEstimate& total = *progress.total;
      const auto left = static_cast<double>(total.rows - progress.rows) / rate;
      line += fmt::format(
          " of {}{} rows, {:.0f} rows/s, {} left",
          total.is_exact ? "" : "about ",
          cli::with_commas(total.rows),
          rate,
          time_text(left)
      );
    } else {
      line += fmt::format(" rows, {:.0f} rows/s", rate);
    }
    std::fprintf(stderr, "\r%s\x1b[K", line.c_str());
    is_shown_ = true;
  }
  void clear() {
    if (is_shown_) std::fputs("\r\x1b[K", stderr);
    is_shown_ = false;
  }

 private:
  const bool is_terminal_ = ::isatty(STDERR_FILENO) == 1;
  bool is_shown_ = false;
  std::int64_t shown_us_ = 0;
};

json::object report_document(
    const cli::BatchArguments& arguments,
    const serve::Version& version,
    const batch::Summary& summary,
    const serve::RecorderCounts& records
) {
  const std::uint64_t rejected = summary.counts.rejected + summary.unreadable;
  const double seconds = static_cast<double>(summary.running_us) / 1e6;
  const std::uint64_t now = summary.counts.rows + summary.counts.rejected - summary.resumed;
  json::object document{
      {"out", arguments.out},
      {"rows", summary.counts.rows},
      {"rejected", rejected},
      {"resumed", summary.resumed},
      {"seconds", seconds},
      {"rows_per_second", seconds > 0 ? static_cast<double>(now) / seconds : 0},
      {"model", version.endpoint()},
      {"version", version.number_text()},
      {"sha256", version.sha256()},
  };
  if (rejected > 0) document["rejected_file"] = batch::rejected_file(arguments.out);
  if (!summary.note.empty()) document["note"] = summary.note;
  if (arguments.record) {
    document["recorded"] = records.written;
    document["not_recorded"] = records.dropped_failed + records.dropped_full;
  }
  return document;
}

void print_report(const cli::BatchArguments& arguments, const json::object& document) {
  if (arguments.json) {
    cli::print_json(document);
    return;
  }
  std::string text = fmt::format(
      "{}: {} rows in {:.1f} s ({:.0f} rows/s)\n",
      arguments.out,
      cli::with_commas(cli::count_of(document, "rows")),
      cli::number_of(document, "seconds"),
      cli::number_of(document, "rows_per_second")
  );
  if (const std::uint64_t resumed = cli::count_of(document, "resumed"); resumed > 0) {
    text += fmt::format("{} rows were there from an earlier try\n", cli::with_commas(resumed));
  }
  if (const std::uint64_t rejected = cli::count_of(document, "rejected"); rejected > 0) {
    text += fmt::format(
        "{}: {} rows that were not predicted, with the reason\n",
        batch::rejected_file(arguments.out),
        cli::with_commas(rejected)
    );
  }
  if (const std::uint64_t lost = cli::count_of(document, "not_recorded"); lost > 0) {
    text +=
        fmt::format("{} rows are in no ledger: the disk refused them\n", cli::with_commas(lost));
  }
  cli::print(text);
}

}  // namespace

Result<int> run_batch(const cli::BatchArguments& arguments, const std::string& command_line) {
  std::error_code error;
  const bool is_file = fs::is_regular_file(arguments.model, error);
  const Model model = is_file ? TRY(load_file(arguments)) : TRY(load_endpoint(arguments));
  const Records records = TRY(open_records(arguments, command_line));
  RequestPath path(model.version, records.ledger.get());
  batch::Options options;
  options.in = arguments.in;
  options.out = arguments.out;
  options.columns = arguments.columns;
  options.keep = arguments.keep;
  options.restart = arguments.restart;
  options.with_ids = arguments.record;
  options.threads = arguments.threads > 0
                        ? arguments.threads
                        : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  ProgressLine line;
  batch::Job job(
      std::move(options),
      {.predictor = path.predictor(),
       .version = model.version,
       .endpoint_features = model.endpoint_features,
       .wait = [&] { path.wait_for_disk(); },
       .show = [&](const batch::Progress& progress) { line.show(progress); },
       .tell = [](const std::string& note) { std::fprintf(stderr, "weir: %s\n", note.c_str()); }}
  );
  const Result<batch::Summary> summary = job.run();
  line.clear();
  if (!summary) return tl::unexpected(summary.error());
  path.recorder().flush();
  print_report(
      arguments, report_document(arguments, *model.version, *summary, path.recorder().counts())
  );
  return 0;
}

}  // namespace weir::app
