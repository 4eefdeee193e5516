#include "app/child_server.h"

#include <array>
#include <csignal>
#include <utility>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"

extern char** environ;

namespace weir::app {
namespace {

// Reads up to the end of the first line; empty when the child has ended before.
std::string read_line(int descriptor) {
  std::string line;
  char c = 0;
  while (::read(descriptor, &c, 1) == 1 && c != '\n') line += c;
  return line;
}

}  // namespace

Result<ChildServer> ChildServer::start(
    const std::string& data, const std::string& model, const std::string& log_path
) {
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return tl::unexpected(system_error("make", "a pipe"));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pipe[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(
      &actions, STDERR_FILENO, log_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644
  );
  // A group of its own, so that Ctrl-C stops the demo and the demo stops the server.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&attributes, 0);

  std::vector<std::string> arguments = {
      "weir", "serve", "--listen", "127.0.0.1:0", "--data", data, "--model", model};
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  pid_t pid = -1;
  const int failed =
      ::posix_spawn(&pid, "/proc/self/exe", &actions, &attributes, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  ::close(pipe[1]);
  if (failed != 0) {
    ::close(pipe[0]);
    return fail(Code::unavailable, "cannot start a server of our own (error {})", failed);
  }
  const std::string line = read_line(pipe[0]);
  ::close(pipe[0]);
  const std::size_t begin = line.find("http://");
  const std::size_t end = line.find(',', begin);
  ChildServer server(pid, begin == std::string::npos ? "" : line.substr(begin, end - begin));
  if (server.url_.empty()) {
    const auto log = system_files().read(log_path);
    return fail(Code::unavailable, "the server did not start: {}", log ? *log : log_path);
  }
  return server;
}

ChildServer::ChildServer(ChildServer&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      url_(std::move(other.url_)),
      is_released_(other.is_released_) {}

ChildServer& ChildServer::operator=(ChildServer&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(url_, other.url_);
  std::swap(is_released_, other.is_released_);
  return *this;
}

ChildServer::~ChildServer() {
  if (pid_ < 0 || is_released_) return;
  ::kill(pid_, SIGTERM);
  int status = 0;
  ::waitpid(pid_, &status, 0);
}

}  // namespace weir::app
