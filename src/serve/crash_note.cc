#include "serve/crash_note.h"

#include <array>
#include <charconv>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <memory>

#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "serve/version.h"

namespace weir::serve {
namespace {

// Where the handler runs when the model has used up the thread's own stack.
class AlternateStack {
 public:
  AlternateStack() {
    stack_t current{};
    // A sanitizer brings one of its own.
    if (::sigaltstack(nullptr, &current) != 0 || (current.ss_flags & SS_DISABLE) == 0) return;
    memory_ = std::make_unique<std::byte[]>(size);
    stack_t stack{};
    stack.ss_sp = memory_.get();
    stack.ss_size = size;
    if (::sigaltstack(&stack, nullptr) != 0) memory_.reset();
  }
  ~AlternateStack() {
    if (memory_ == nullptr) return;
    stack_t none{};
    none.ss_flags = SS_DISABLE;
    ::sigaltstack(&none, nullptr);
  }
  AlternateStack(const AlternateStack&) = delete;
  AlternateStack& operator=(const AlternateStack&) = delete;

 private:
  static constexpr std::size_t size = 64U << 10;
  std::unique_ptr<std::byte[]> memory_;
};

thread_local const Version* running_version = nullptr;
int note_descriptor = -1;

constexpr std::array<int, 5> fatal_signals = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};

// Only calls that a signal handler may make: write() and copies into a buffer on the stack.
void write_note(int signal) {
  const Version* version = running_version;
  if (version == nullptr || note_descriptor < 0) return;
  std::array<char, 1024> buffer{};
  std::size_t size = 0;
  const auto add = [&](std::string_view text) {
    const std::size_t count = std::min(text.size(), buffer.size() - size);
    std::memcpy(buffer.data() + size, text.data(), count);
    size += count;
  };
  std::array<char, 16> number{};
  const auto [end, error] = std::to_chars(number.data(), number.data() + number.size(), signal);
  add({number.data(), static_cast<std::size_t>(end - number.data())});
  add(" ");
  add(version->number_text());
  add(" ");
  add(version->endpoint());
  add("\n");
  if (error == std::errc() && ::write(note_descriptor, buffer.data(), size) < 0) return;
  ::fsync(note_descriptor);
}

void handle(int signal) {
  write_note(signal);
  // The handler was reset when it was called, so this ends the process as the signal would have.
  ::raise(signal);
}

}  // namespace

RunningVersion::RunningVersion(const Version& version) {
  thread_local const AlternateStack stack;  // Made with the first model that a thread runs.
  running_version = &version;
}
RunningVersion::~RunningVersion() {
  running_version = nullptr;
}

Result<std::optional<CrashNote>> take_crash_note(const std::string& path) {
  const auto text = system_files().read(path);
  if (!text) {
    if (text.error().code == Code::not_found) return std::optional<CrashNote>();
    return tl::unexpected(text.error());
  }
  TRY(system_files().remove(path));
  CrashNote note;
  const char* at = text->data();
  const char* const end = at + text->size();
  const auto [after_signal, signal_error] = std::from_chars(at, end, note.signal);
  if (signal_error != std::errc() || after_signal == end) return std::optional<CrashNote>();
  const auto [after_version, version_error] = std::from_chars(after_signal + 1, end, note.version);
  if (version_error != std::errc() || after_version == end) return std::optional<CrashNote>();
  note.endpoint.assign(after_version + 1, end);
  if (const std::size_t line = note.endpoint.find('\n'); line != std::string::npos) {
    note.endpoint.resize(line);
  }
  return std::optional(note);
}

Result<void> note_crashes(const std::string& path) {
  note_descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (note_descriptor < 0) return tl::unexpected(system_error("create", path));
  struct sigaction action {};
  action.sa_handler = handle;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_NODEFER | SA_ONSTACK);
  for (const int signal : fatal_signals) ::sigaction(signal, &action, nullptr);
  return {};
}

}  // namespace weir::serve
