// The rules of CONTRIBUTING.md that a program can check, over the text of the repository. Each
// failure names the file, the line and what to do instead. The lists of exceptions may only
// shrink: an entry that nothing needs any more fails too.

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "repository.h"

namespace weir::tidy {
namespace {

bool is_code(const Source& source) {
  return !source.code.empty();
}
bool is_test(const Source& source) {
  return source.path.ends_with("_test.cc");
}
bool is_header(const Source& source) {
  return source.path.ends_with(".h");
}
bool in_src(const Source& source) {
  return source.path.starts_with("src/");
}

// "src/stats/sketches/x.h" -> "stats"
std::string module_of(std::string_view path) {
  path.remove_prefix(std::string_view("src/").size());
  return std::string(path.substr(0, path.find('/')));
}

std::string at_line(const Source& source, std::size_t index) {
  return source.path + ":" + std::to_string(index + 1);
}

// What a rule lets pass: files without their ending (a header and its source are one thing), each
// with the reason. Reports the entries that were not needed.
class Exceptions {
 public:
  explicit Exceptions(std::map<std::string, std::string> reasons) : reasons_(std::move(reasons)) {}
  bool allow(const Source& source) {
    const auto found = reasons_.find(source.path.substr(0, source.path.rfind('.')));
    if (found == reasons_.end()) return false;
    used_.insert(found->first);
    return true;
  }
  ~Exceptions() {
    for (const auto& [path, reason] : reasons_) {
      EXPECT_TRUE(used_.contains(path)) << "take '" << path << "' off the list of exceptions";
    }
  }
  Exceptions(const Exceptions&) = delete;
  Exceptions& operator=(const Exceptions&) = delete;

 private:
  std::map<std::string, std::string> reasons_;
  std::set<std::string> used_;
};

TEST(Tidy, SeesCodeWithoutItsCommentsAndLiterals) {
  EXPECT_EQ(without_comments_and_literals("a; // throw\nb"), "a;         \nb");
  EXPECT_EQ(without_comments_and_literals("f(\"\\\"throw\", 1'000)"), "f(         , 1'000)");
  EXPECT_EQ(without_comments_and_literals("/* x\n */ 'q' R\"(\")\" z"), "    \n               z");
  EXPECT_EQ(find_word("rand_seed operand rand()", "rand("), 18U);
  EXPECT_EQ(find_word("rethrow throws", "throw"), std::string_view::npos);
}

TEST(Tidy, ModulesIncludeOnlyThemselvesAndWhatTheyDeclare) {
  std::map<std::string, std::set<std::string>> edges;
  std::ifstream file(std::string(WEIR_BUILD_DIR) + "/modules.txt");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line.substr(line.find(':') + 1));
    edges[line.substr(0, line.find(':'))] = {std::istream_iterator<std::string>(words), {}};
  }
  ASSERT_TRUE(edges.contains("base")) << "modules.txt was not written by cmake";
  for (const Source& source : sources()) {
    if (!in_src(source) || !is_code(source)) continue;
    const std::string module = module_of(source.path);
    for (std::size_t index = 0; index < source.lines.size(); ++index) {
      const std::string_view line = source.lines[index];
      if (!line.starts_with("#include \"")) continue;
      const std::string header(line.substr(10, line.find('"', 10) - 10));
      EXPECT_TRUE(fs::exists(root() / "src" / header))
          << at_line(source, index) << ": includes are named from src/, '" << header << "' is not";
      const std::string other = header.substr(0, header.find('/'));
      if (other == module || !edges.contains(module)) continue;
      EXPECT_TRUE(edges[module].contains(other))
          << at_line(source, index) << ": " << module << " does not declare that it depends on "
          << other << " (src/CMakeLists.txt)";
    }
  }
}

TEST(Tidy, LinesFitAHundredColumns) {
  for (const Source& source : sources()) {
    if (!is_code(source)) continue;
    for (std::size_t index = 0; index < source.lines.size(); ++index) {
      const std::string& line = source.lines[index];
      const auto columns = std::count_if(line.begin(), line.end(), [](char byte) {
        return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U;
      });
      EXPECT_LE(columns, 100) << at_line(source, index) << ": break the line";
      EXPECT_FALSE(line.ends_with(' ')) << at_line(source, index) << ": ends with a space";
      EXPECT_EQ(line.find('\t'), line.npos) << at_line(source, index) << ": a tab";
    }
  }
}

TEST(Tidy, AFileIsOneIdea) {
  for (const Source& source : sources()) {
    EXPECT_TRUE(!is_code(source) || source.lines.size() <= 450) << source.path;
  }
}

struct Banned {
  std::string word;
  std::string instead;
  bool everywhere;  // Else in src/ outside tests.
  std::map<std::string, std::string> exceptions;
};

const std::vector<Banned>& banned_words() {
  static const std::vector<Banned> words{
      {"std::regex", "a loop over a string_view", true, {}},
      {"std::endl", "'\\n'", true, {}},
      {"rand(", "a seed passed in", true, {}},
      {"sleep_for", "a condition variable or a timer", false, {}},
      {"throw", "fail(…) and Result", false, {}},
      {"<iostream>", "LOG, fmt::print", false, {}},
      {"GTEST_SKIP", "a test that runs", true, {}},
      {"DISABLED_", "a test that runs", true, {}},
  };
  return words;
}

TEST(Tidy, BannedWordsHaveABetterOne) {
  for (const Banned& banned : banned_words()) {
    Exceptions exceptions(banned.exceptions);
    for (const Source& source : sources()) {
      if (!is_code(source)) continue;
      if (!banned.everywhere && (!in_src(source) || is_test(source))) continue;
      for (std::size_t index = 0; index < source.code_lines.size(); ++index) {
        if (find_word(source.code_lines[index], banned.word) == std::string::npos) continue;
        if (exceptions.allow(source)) continue;
        ADD_FAILURE() << at_line(source, index) << ": instead of " << banned.word << " use "
                      << banned.instead;
      }
    }
  }
}

// A shared value that can change has no owner: headers share only const values, instruments (which
// are atomic) and what this list explains.
TEST(Tidy, WhatIsSharedIsConst) {
  Exceptions exceptions(
      {{"src/control/controller", "a route while it is being built; published as const"},
       {"src/control/routing", "the same"},
       {"src/control/feedback", "an index has its own mutex and outlives a removed endpoint"},
       {"src/http/connection", "the handler's memory, of a type that http does not know"},
       {"src/http/server", "the same"},
       {"src/ledger/catalog", "a file that is deleted when its last reader is done"},
       {"src/ledger/segment_log", "a file that is sealed while it is being synced"},
       {"src/ledger/segment_writer", "the same"},
       {"src/serve/recorder", "a slot is its thread's, and is emptied by the recorder after it"}}
  );
  for (const Source& source : sources()) {
    if (!in_src(source) || !is_header(source)) continue;
    for (std::size_t index = 0; index < source.code_lines.size(); ++index) {
      const std::string& line = source.code_lines[index];
      const auto at = line.find("shared_ptr<");
      if (at == line.npos) continue;
      const std::string_view shared = std::string_view(line).substr(at + 11);
      if (starts_with_any(
              shared,
              {"const ",
               "Counter>",
               "Gauge>",
               "Histogram>",
               "metrics::Counter>",
               "metrics::Gauge>",
               "metrics::Histogram>"}
          ) ||
          exceptions.allow(source)) {
        continue;
      }
      ADD_FAILURE() << at_line(source, index) << ": shared_ptr<const T>, or unique_ptr";
    }
  }
}

// Each of these costs every file that includes it 0.5 s and more: a header with one of them, itself
// or through others, is for its own module.
TEST(Tidy, HeavyHeadersStayInTheirModule) {
  const auto includes = [](const Source& source, std::string_view opening) {
    Strings names;
    for (const std::string& line : source.lines) {
      if (!line.starts_with(opening)) continue;
      names.push_back(line.substr(opening.size(), line.find_first_of("\">", 10) - opening.size()));
    }
    return names;
  };
  std::set<std::string> heavy;
  for (std::size_t before = 1; before != heavy.size();) {
    before = heavy.size();
    for (const Source& source : sources()) {
      if (!in_src(source) || !is_header(source)) continue;
      for (const std::string& name : includes(source, "#include <")) {
        if (name.ends_with("fwd.hpp")) continue;
        if (starts_with_any(
                name,
                {"boost/",
                 "simdjson",
                 "yaml-cpp",
                 "CLI",
                 "spdlog",
                 "onnxruntime",
                 "duckdb",
                 "sqlite3",
                 "openssl",
                 "grpc",
                 "google/protobuf",
                 "regex"}
            )) {
          heavy.insert(source.path.substr(4));
        }
      }
      for (const std::string& name : includes(source, "#include \"")) {
        if (heavy.contains(name)) heavy.insert(source.path.substr(4));
      }
    }
  }
  for (const Source& source : sources()) {
    if (!in_src(source) || !is_code(source)) continue;
    for (const std::string& name : includes(source, "#include \"")) {
      if (module_of("src/" + name) == module_of(source.path)) continue;
      EXPECT_FALSE(heavy.contains(name))
          << source.path << " includes " << name << ", which brings in a heavy header of a library";
    }
  }
}

TEST(Tidy, StatsAndRolloutReadNoClockAndNoDisk) {
  for (const Source& source : sources()) {
    if (!starts_with_any(source.path, {"src/stats/", "src/rollout/"}) || is_test(source)) continue;
    for (std::size_t index = 0; index < source.code_lines.size(); ++index) {
      for (const char* word :
           {"now_us",
            "monotonic_ns",
            "std::chrono",
            "std::random_device",
            "<thread>",
            "<mutex>",
            "<fstream>",
            "<filesystem>"}) {
        EXPECT_EQ(find_word(source.code_lines[index], word), std::string::npos)
            << at_line(source, index) << ": " << word
            << "; time, randomness and bytes are arguments here, so that decisions replay";
      }
    }
  }
}

TEST(Tidy, CoroutinesStayInTheTransport) {
  for (const Source& source : sources()) {
    if (!in_src(source) || !is_code(source)) continue;
    for (std::size_t index = 0; index < source.code_lines.size(); ++index) {
      const std::string& line = source.code_lines[index];
      const auto at = find_word(line, "co_await");
      if (at == line.npos && find_word(line, "co_return") == line.npos) continue;
      EXPECT_EQ(module_of(source.path), "http") << at_line(source, index);
      // g++ 12 destroys temporaries of such a statement twice.
      EXPECT_EQ(line.find_first_of("{[", at == line.npos ? line.size() : at), line.npos)
          << at_line(source, index) << ": name the argument on a line of its own, then move it";
    }
  }
}

TEST(Tidy, WhatIsLeftToDoHasANumber) {
  for (const Source& source : sources()) {
    for (std::size_t index = 0; index < source.lines.size(); ++index) {
      for (const std::string word :
           {"TO"
            "DO",
            "FIX"
            "ME",
            "XX"
            "X",
            "HA"
            "CK"}) {
        const auto at = find_word(source.lines[index], word);
        if (at == std::string::npos) continue;
        EXPECT_EQ(source.lines[index].find(word + "(#"), at)
            << at_line(source, index) << ": " << word << "(#123), or do it";
      }
    }
  }
}

TEST(Tidy, TextsNameNoMachine) {
  for (const Source& source : sources()) {
    for (std::size_t index = 0; index < source.lines.size(); ++index) {
      for (const char* word :
           {"/ho"
            "me/",
            "/Us"
            "ers/",
            "/wo"
            "rk/"}) {
        EXPECT_EQ(source.lines[index].find(word), std::string::npos)
            << at_line(source, index) << ": a path of one machine";
      }
    }
  }
}

TEST(Tidy, HeadersStartWithPragmaOnceAndNamesAreWordsOfTheProduct) {
  for (const Source& source : sources()) {
    if (!in_src(source) || !is_code(source)) continue;
    EXPECT_TRUE(!is_header(source) || source.text.starts_with("#pragma once\n")) << source.path;
    const std::string stem = fs::path(source.path).stem().string();
    const std::string folder = module_of(source.path);
    for (const char* word :
         {"core",
          "common",
          "util",
          "utils",
          "helper",
          "helpers",
          "manager",
          "handler",
          "impl",
          "misc",
          "types",
          "data",
          "info"}) {
      EXPECT_NE(stem, word) << source.path;
      EXPECT_NE(folder, word) << source.path;
    }
  }
}

// Words that look like paths of ours lead somewhere. X stands for any name.
TEST(Tidy, FilesNamedInTheDocumentsExist) {
  for (const Source& source : sources()) {
    if (!source.path.ends_with(".md") || source.path == "CHANGELOG.md") continue;
    for (std::size_t index = 0; index < source.lines.size(); ++index) {
      std::string line = source.lines[index];
      std::replace_if(
          line.begin(),
          line.end(),
          [](char letter) { return !is_word(letter) && !std::strchr("/.-", letter); },
          ' '
      );
      std::istringstream words(line);
      for (std::string word; words >> word;) {
        while (word.ends_with('.')) word.pop_back();
        if (word.find("/X") != word.npos || word.find("_X") != word.npos) continue;
        if (!starts_with_any(
                word,
                {"src/", "tests/", "docs/", "scripts/", "cmake/", "fuzz/", "bench/", "examples/"}
            )) {
          continue;
        }
        EXPECT_TRUE(fs::exists(root() / word))
            << at_line(source, index) << ": '" << word << "' does not exist";
      }
    }
  }
}

TEST(Tidy, EverySourceFileBelongsToATarget) {
  std::ifstream file(std::string(WEIR_BUILD_DIR) + "/compile_commands.json");
  const std::string commands{std::istreambuf_iterator<char>(file), {}};
  ASSERT_FALSE(commands.empty()) << "cmake wrote no compile_commands.json";
  for (const Source& source : sources()) {
    if (!source.path.ends_with(".cc")) continue;
    if (starts_with_any(source.path, {"bench/micro/"})) {
      EXPECT_TRUE(source.path.ends_with("_bench.cc")) << source.path;
      continue;
    }
    if (source.path.starts_with("bench/")) continue;
    EXPECT_THAT(commands, ::testing::HasSubstr((root() / source.path).string() + "\""))
        << source.path << " is compiled by nothing";
  }
}

}  // namespace
}  // namespace weir::tidy
