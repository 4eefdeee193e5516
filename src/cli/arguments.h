#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"

// What a person typed, as plain values. The command line is described in arguments.cc alone.

namespace weir::cli {

// How every command but serve finds the server and prints.
struct ClientArguments {
  std::string server = "http://127.0.0.1:8080";
  std::string token_file;
  bool json = false;
};

struct ServeArguments {
  std::string config_file;
  std::string listen;               // Empty: of the configuration, else 127.0.0.1:8080.
  std::string grpc_listen;          // Empty: of the configuration, else 127.0.0.1:8081.
  std::string data;                 // Empty: of the configuration, else weir-data.
  std::vector<std::string> models;  // NAME=PATH
  std::string ledger;               // "on", "off" or empty.
  int threads = 0;                  // 0: of the configuration, else 1 per core.
  std::string token_file;
  std::string log_level = "info";
  std::string access_log;  // A file or "-"; empty: of the configuration.
  std::string tls_certificate;
  std::string tls_key;
  bool take_over = false;
};
struct WorkerArguments {};
struct ModelHostArguments {};
struct DemoArguments {
  std::string data = "demo-data";
  std::string examples;  // Folder with the data set; empty: found by itself.
  std::size_t rows = 0;  // 0: all.
  // Of the live view, so that one can follow; 0: as fast as it goes.
  int rows_per_second = 1'500;
  bool keep = false;
  bool plain = false;
};
struct StatusArguments {
  ClientArguments client;
  std::string endpoint;  // Empty: the server and all endpoints.
};
struct DeployArguments {
  ClientArguments client;
  std::string endpoint;
  std::string path;
  std::string stages;
  std::string plan_file;
  std::string name;
  bool shadow = false;
};
struct MoveArguments {
  ClientArguments client;
  std::string action;  // promote, pause, resume, rollback
  std::string endpoint;
  std::string text;
  bool full = false;
};
struct ModelArguments {
  ClientArguments client;
  std::string action;  // list, show, remove
  std::string endpoint;
  std::string version;
};
struct RolloutArguments {
  ClientArguments client;
  std::string endpoint;
};
struct FeedbackArguments {
  ClientArguments client;
  std::string endpoint;
  std::string path;
};
struct SqlArguments {
  ClientArguments client;
  std::string query;
  std::uint64_t max_rows = 0;
};
struct ExportArguments {
  ClientArguments client;
  std::string endpoint;
  std::string sql;
  std::string out;
};
struct LedgerArguments {
  ClientArguments client;
  std::string action;  // erase, compact
  std::string key;
  std::string endpoint;
};
struct TrainArguments {
  std::string in;
  std::string label;
  std::string out;
  std::string task = "binary";
  std::vector<std::string> features;  // Empty: all but the label.
  int trees = 100;
  int depth = 6;
  double learning_rate = 0.1;
  int seed = 7;
  bool json = false;
};
struct BatchArguments {
  std::string model;  // A model file, or ENDPOINT[/VERSION] of the data folder.
  std::string in;
  std::string out;
  std::string data = "weir-data";
  std::vector<std::string> columns;  // For the model's inputs; empty: by name.
  std::vector<std::string> keep;
  int threads = 0;  // 0: one per core.
  bool record = false;
  bool restart = false;
  bool json = false;
};

using Command = std::variant<
    ServeArguments,
    WorkerArguments,
    ModelHostArguments,
    DemoArguments,
    StatusArguments,
    DeployArguments,
    MoveArguments,
    ModelArguments,
    RolloutArguments,
    FeedbackArguments,
    SqlArguments,
    ExportArguments,
    LedgerArguments,
    TrainArguments,
    BatchArguments>;

// Either a command, or a text to print and the exit code to end with (--help, --version, misuse).
struct Ending {
  std::string text;
  int exit_code = 0;
};
std::variant<Command, Ending> parse_arguments(int count, const char* const* arguments);

}  // namespace weir::cli
