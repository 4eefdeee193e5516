#include "app/demo.h"

#include <filesystem>

#include <boost/json.hpp>
#include <poll.h>
#include <unistd.h>

#include "app/child_server.h"
#include "app/demo_data.h"
#include "app/demo_traffic.h"
#include "app/demo_view.h"
#include "app/demo_watch.h"
#include "base/file.h"
#include "cli/client.h"
#include "cli/print.h"
#include "net/url.h"
#include "stats/intervals/proportion.h"

namespace weir::app {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

constexpr const char* endpoint = "electricity";
constexpr const char* marker_name = "made-by-weir-demo";

// The rules of the demo, in rows of the data and in shares of right answers.
struct Rules {
  std::size_t first_rows = 1344;       // Four weeks to train version 1.
  std::size_t second_at = 17'520;      // After a year: version 2, trained on all of it.
  std::size_t third_at = 34'000;       // Version 3, trained with one feature in another unit.
  std::size_t stage_rows = 1'536;      // Evidence for one stage…
  std::size_t max_stage_rows = 6'144;  // …and the longest that a hold may last.
  std::uint64_t min_labels = 60;       // Below that a candidate's accuracy says nothing.
  double worse_by = 0.05;              // Roll back: so much less accurate on the same time.
  double margin = 0.01;                // Go on: at most so much less accurate.
};

// Where a launch ended.
enum class Outcome : std::uint8_t { promoted, rolled_back, data_ended };

class Demo {
 public:
  explicit Demo(const cli::DemoArguments& arguments)
      : arguments_(arguments),
        is_live_(!arguments.plain && ::isatty(STDOUT_FILENO) == 1),
        view_(is_live_) {}

  Result<int> run();

 private:
  enum class Verdict : std::uint8_t { hold, go_on, roll_back };

  Result<void> prepare_folder();
  Result<void> start_server();
  Result<bool> play(std::size_t rows);
  void keep_pace() const;
  Result<Outcome> launch(const std::string& path, const std::string& what);
  Result<void> deploy(const std::string& path);
  Result<void> move(const char* action, const std::string& why);
  Verdict judge(const std::string& arm, std::string& why) const;
  Result<void> finish();
  void tell(const std::string& text);
  std::string file(const char* name) const { return (folder_ / name).string(); }

  const cli::DemoArguments& arguments_;
  Rules rules_;
  bool is_live_;
  DemoView view_;
  fs::path folder_;
  std::vector<DemoRow> rows_;
  std::optional<ChildServer> server_;
  std::optional<cli::Client> client_;
  std::optional<DemoTraffic> traffic_;
  std::optional<DemoWatch> watch_;
  std::int64_t started_ns_ = 0;
  std::size_t first_row_ = 0;
};

void Demo::tell(const std::string& text) {
  std::optional<Moment> time;
  if (traffic_ && traffic_->next_row() > 0) {
    time = rows_[std::min(traffic_->next_row(), rows_.size()) - 1].time;
  }
  view_.event(time, text);
}

// An old folder goes only if the demo made it.
Result<void> Demo::prepare_folder() {
  folder_ = fs::absolute(arguments_.data);
  std::error_code error;
  if (fs::exists(folder_, error) && !fs::is_empty(folder_, error)) {
    if (!fs::exists(folder_ / marker_name, error)) {
      return fail(
          Code::conflict,
          "'{}' exists and was not made by the demo; give another folder with --data",
          folder_.string()
      );
    }
    fs::remove_all(folder_, error);
  }
  TRY(system_files().make_folders(folder_.string()));
  return system_files().write_whole(file(marker_name), "This folder may be deleted.\n");
}

Result<void> Demo::start_server() {
  server_ = TRY(ChildServer::start(
      file("data"), std::string(endpoint) + "=" + file("v1.ubj"), file("server.log")
  ));
  client_ = TRY(cli::Client::connect({.server = server_->url()}));
  watch_.emplace(*client_);
  const net::Url url = TRY(net::parse_url(server_->url()));
  traffic_.emplace(url, rows_);
  traffic_->start_at(rules_.first_rows);
  first_row_ = rules_.first_rows;
  started_ns_ = monotonic_ns();
  return {};
}

// A person wants to see what happens: the live view waits until the next block is due.
void Demo::keep_pace() const {
  if (!is_live_ || arguments_.rows_per_second == 0) return;
  const std::int64_t due_ns =
      started_ns_ + static_cast<std::int64_t>(traffic_->next_row() - first_row_) * 1'000'000'000 /
                        arguments_.rows_per_second;
  const std::int64_t left_ms = (due_ns - monotonic_ns()) / 1'000'000;
  if (left_ms > 0) ::poll(nullptr, 0, static_cast<int>(left_ms));
}

// Plays so many rows, drawing now and then. False at the end of the data.
Result<bool> Demo::play(std::size_t rows) {
  const std::size_t end = std::min(rows_.size(), traffic_->next_row() + rows);
  constexpr std::int64_t redraw_ns = 150'000'000;
  std::int64_t drawn_ns = 0;
  while (traffic_->next_row() < end) {
    if (!TRY(traffic_->play_block())) break;
    keep_pace();
    const std::int64_t now_ns = monotonic_ns();
    if (now_ns - drawn_ns < redraw_ns) continue;
    drawn_ns = now_ns;
    TRY(watch_->refresh());
    DemoState& state = watch_->state();
    state.row = traffic_->next_row();
    state.rows = rows_.size();
    state.time = rows_[state.row - 1].time;
    state.rows_per_second = static_cast<double>(state.row - first_row_) * 1e9 /
                            static_cast<double>(now_ns - started_ns_);
    view_.show(state);
  }
  TRY(watch_->refresh());
  return traffic_->next_row() < rows_.size();
}

Result<void> Demo::deploy(const std::string& path) {
  const std::string bytes = TRY(system_files().read(path));
  const std::string name = fs::path(path).filename().string();
  TRY(client_->post_bytes(
      cli::endpoint_path(endpoint, "/deploy?stages=shadow,5,25,50,100&file_name=" + name),
      bytes,
      "application/octet-stream"
  ));
  return {};
}

Result<void> Demo::move(const char* action, const std::string& why) {
  TRY(client_->post(
      cli::endpoint_path(endpoint, std::string("/") + action), {{"by", "demo"}, {"text", why}}
  ));
  return {};
}

// Both versions on the same stretch of time; in the shadow stage even on the same rows.
Demo::Verdict Demo::judge(const std::string& arm, std::string& why) const {
  const LabelCount candidate = watch_->since_mark(arm);
  const LabelCount primary = watch_->since_mark("primary");
  if (candidate.labelled < rules_.min_labels) return Verdict::hold;
  const auto text = [](const LabelCount& count) {
    const auto interval = stats::wilson(count.correct, count.labelled, 0.95);
    return fmt::format(
        "{:.1f} % right ({:.1f} to {:.1f}, n {})",
        100 * count.rate(),
        100 * interval.low,
        100 * interval.high,
        count.labelled
    );
  };
  why = fmt::format("{}: {}", arm, text(candidate));
  // At 100 % nobody else answers; the candidate is then held against its own past stages.
  if (primary.labelled < rules_.min_labels) return Verdict::go_on;
  why += fmt::format("; primary: {}", text(primary));
  const double difference = candidate.rate() - primary.rate();
  if (difference < -rules_.worse_by) return Verdict::roll_back;
  return difference >= -rules_.margin ? Verdict::go_on : Verdict::hold;
}

Result<Outcome> Demo::launch(const std::string& path, const std::string& what) {
  TRY(deploy(path));
  TRY(watch_->refresh());
  tell(what + " It is launched as a shadow: it sees every request and answers none.");
  while (true) {
    watch_->mark();
    std::string why;
    Verdict verdict = Verdict::hold;
    const std::string stage = watch_->state().stage;
    const std::string arm = stage == "stage: shadow" ? "shadow" : "candidate";
    for (std::size_t played = 0; verdict == Verdict::hold && played < rules_.max_stage_rows;
         played += rules_.stage_rows) {
      if (!TRY(play(rules_.stage_rows))) return Outcome::data_ended;
      verdict = judge(arm, why);
    }
    const std::string agreement = watch_->pairs() > 0 && arm == "shadow"
                                      ? " Same requests: " + watch_->comparison() + "."
                                      : "";
    if (verdict != Verdict::go_on) {
      TRY(move("rollback", why));
      tell(fmt::format("ROLLED BACK. {}.{}", why, agreement));
      TRY(watch_->refresh());
      return Outcome::rolled_back;
    }
    TRY(move("promote", why));
    TRY(watch_->refresh());
    const std::string now = watch_->state().stage;
    tell(fmt::format(
        "{}.{} → {}", why, agreement, now == "no rollout" ? "promoted, now primary" : now
    ));
    if (now == "no rollout") return Outcome::promoted;
  }
}

Result<void> Demo::finish() {
  TRY(watch_->refresh());
  view_.finish();
  const double seconds = static_cast<double>(monotonic_ns() - started_ns_) / 1e9;
  tell(fmt::format("End of the data, after {:.0f} s.", seconds));
  const char* const sql =
      "select version, arm, count(*) as rows, round(avg((predicted = label)::int), 4) as accuracy, "
      "count(label) as n from electricity where label is not null group by all order by all";
  const json::value result = TRY(client_->post("/sql", {{"query", sql}}));
  std::string table = fmt::format(
      "\n{:>7}  {:<9}  {:>7}  {:>8}  {:>15}  {:>7}\n",
      "version",
      "arm",
      "rows",
      "accuracy",
      "95 % (Wilson)",
      "n"
  );
  for (const json::value& value : cli::array_of(result.as_object(), "rows")) {
    const json::object& row = value.as_object();
    const std::uint64_t n = cli::count_of(row, "n");
    const double rate = cli::number_of(row, "accuracy");
    const auto interval =
        stats::wilson(static_cast<std::uint64_t>(rate * static_cast<double>(n) + 0.5), n, 0.95);
    table += fmt::format(
        "{:>7}  {:<9}  {:>7}  {:>6.1f} %  {:>5.1f} to {:>4.1f} %  {:>7}\n",
        cli::text_of(row, "version"),
        cli::text_of(row, "arm"),
        cli::count_of(row, "rows"),
        100 * rate,
        100 * interval.low,
        100 * interval.high,
        n
    );
  }
  const std::string start =
      arguments_.keep
          ? fmt::format("The server runs on: {} (pid {})", server_->url(), server_->pid())
          : fmt::format("Start the server again: weir serve --data {}", file("data"));
  const std::string url = arguments_.keep ? server_->url() : "http://127.0.0.1:8080";
  table += fmt::format(
      "\nThe ledger lies in {}\n{}\n\nTo try:\n"
      "  export WEIR_SERVER={}\n"
      "  weir status electricity\n"
      "  weir sql \"select version, arm, count(*), avg(score) from electricity group by all\"\n"
      "  weir export electricity --out train.parquet\n",
      file("data/ledger"),
      start,
      url
  );
  cli::print(table);
  if (arguments_.keep) server_->release();
  return {};
}

Result<int> Demo::run() {
  TRY(prepare_folder());
  rows_ = TRY(read_demo_data(arguments_.examples));
  if (arguments_.rows > 0 && arguments_.rows < rows_.size()) {
    // A shorter run of the same story.
    const double part = static_cast<double>(arguments_.rows) / static_cast<double>(rows_.size());
    rows_.resize(arguments_.rows);
    const auto scaled = [&](std::size_t n) {
      return static_cast<std::size_t>(static_cast<double>(n) * part);
    };
    rules_.second_at = scaled(rules_.second_at);
    rules_.third_at = scaled(rules_.third_at);
    rules_.stage_rows = std::max<std::size_t>(scaled(rules_.stage_rows), 320);
    rules_.min_labels = 10;
  }
  tell("Training version 1 on the first four weeks.");
  TRY(train_demo_model(rows_, {.end = rules_.first_rows, .trees = 50, .depth = 4}, file("v1.ubj")));
  TRY(start_server());
  tell(fmt::format("Version 1 serves on {}; every label comes half an hour later.", server_->url())
  );
  TRY(play(rules_.second_at - rules_.first_rows));

  tell("Training version 2 on everything so far.");
  TRY(train_demo_model(rows_, {.end = rules_.second_at}, file("v2.ubj")));
  const Outcome second = TRY(launch(file("v2.ubj"), "Version 2 is trained."));

  if (traffic_->next_row() < rules_.third_at) TRY(play(rules_.third_at - traffic_->next_row()));
  tell("Training version 3 on everything so far, but its pipeline has nswprice in cents.");
  const std::size_t nswprice = 2;
  const DemoTraining broken{.end = traffic_->next_row(), .scaled_feature = nswprice, .scale = 100};
  TRY(train_demo_model(rows_, broken, file("v3.ubj")));
  const Outcome third = TRY(launch(file("v3.ubj"), "Version 3 is trained."));
  while (TRY(play(rules_.stage_rows))) {
  }
  TRY(finish());
  const bool is_as_told = second == Outcome::promoted && third == Outcome::rolled_back;
  return is_as_told ? 0 : 3;
}

}  // namespace

Result<int> run_demo(const cli::DemoArguments& arguments) {
  return Demo(arguments).run();
}

}  // namespace weir::app
