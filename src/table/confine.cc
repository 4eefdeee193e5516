#include "table/confine.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"

namespace weir::table {
namespace {

// AddressSanitizer and ThreadSanitizer reserve terabytes for themselves.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool is_sanitized = true;
#else
constexpr bool is_sanitized = false;
#endif

#if defined(__x86_64__)
constexpr std::uint32_t architecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t architecture = AUDIT_ARCH_AARCH64;
#else
constexpr std::uint32_t architecture = 0;
#endif

constexpr sock_filter statement(unsigned code, std::uint32_t value) {
  return {static_cast<std::uint16_t>(code), 0, 0, value};
}

// Goes `yes` or `no` instructions further.
constexpr sock_filter jump(unsigned code, std::uint32_t value, std::uint8_t yes, std::uint8_t no) {
  return {static_cast<std::uint16_t>(code), yes, no, value};
}

// The worker has its one socket already and never starts a program, so both calls can go for
// good: whatever a statement or a broken file makes the database do, it reaches no network.
bool forbid_sockets_and_programs() {
  constexpr std::uint32_t refuse = SECCOMP_RET_ERRNO | EACCES;
  std::array<sock_filter, 9> filter = {
      {statement(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
       jump(BPF_JMP | BPF_JEQ | BPF_K, architecture, 0, 6),
       statement(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
       // On x86-64 the numbers from here on are the same calls under another convention.
       jump(BPF_JMP | BPF_JGE | BPF_K, 0x4000'0000, 4, 0),
       jump(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 3, 0),
       jump(BPF_JMP | BPF_JEQ | BPF_K, SYS_execve, 2, 0),
       jump(BPF_JMP | BPF_JEQ | BPF_K, SYS_execveat, 1, 0),
       statement(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
       statement(BPF_RET | BPF_K, refuse)}};
  const sock_fprog program{.len = filter.size(), .filter = filter.data()};
  return architecture != 0 && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

void cap(__rlimit_resource resource, std::uint64_t bytes, const char* name) {
  const rlimit limit{.rlim_cur = bytes, .rlim_max = bytes};
  if (::setrlimit(resource, &limit) != 0) LOG(warning, "the SQL worker cannot cap its {}", name);
}

}  // namespace

void confine_process(const Confinement& confinement) {
  cap(RLIMIT_CORE, 0, "core files");
  if (confinement.memory_bytes > 0 && !is_sanitized) {
    cap(RLIMIT_DATA, confinement.memory_bytes, "memory");
  }
  if (::setpriority(PRIO_PROCESS, 0, confinement.niceness) != 0) {
    LOG(warning, "the SQL worker cannot lower its priority");
  }
  // A write beyond RLIMIT_FSIZE shall fail instead of ending the process.
  std::signal(SIGXFSZ, SIG_IGN);
  if (!forbid_sockets_and_programs()) {
    LOG(warning, "this kernel cannot forbid sockets to the SQL worker; it runs without that");
  }
}

WriteBan::WriteBan() {
  ::getrlimit(RLIMIT_FSIZE, &before_);
  const rlimit none{.rlim_cur = 0, .rlim_max = before_.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &none);
}

WriteBan::~WriteBan() {
  ::setrlimit(RLIMIT_FSIZE, &before_);
}

}  // namespace weir::table
