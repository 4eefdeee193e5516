#include "metrics/process.h"

#include <array>
#include <cstdio>
#include <ctime>

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"

namespace weir::metrics {
namespace {

// The numbers of /proc/self/stat from the third field on, as proc(5) counts them from 1.
struct ProcessStat {
  double cpu_seconds = 0;
  double threads = 0;
  double start_seconds = 0;  // Since boot.
  double virtual_bytes = 0;
  double resident_bytes = 0;
};

ProcessStat read_stat() {
  ProcessStat result;
  const auto text = system_files().read("/proc/self/stat");
  // The name of the program stands in parentheses and may contain anything.
  const std::size_t name_end = text ? text->rfind(')') : std::string::npos;
  if (name_end == std::string::npos) return result;
  unsigned long long user = 0;
  unsigned long long system = 0;
  unsigned long long start = 0;
  unsigned long long bytes = 0;
  long threads = 0;
  long pages = 0;
  const int found = std::sscanf(
      text->c_str() + name_end + 1,
      " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %ld %*d %llu %llu "
      "%ld",
      &user,
      &system,
      &threads,
      &start,
      &bytes,
      &pages
  );
  if (found != 6) return result;
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  result.cpu_seconds = static_cast<double>(user + system) / ticks;
  result.threads = static_cast<double>(threads);
  result.start_seconds = static_cast<double>(start) / ticks;
  result.virtual_bytes = static_cast<double>(bytes);
  result.resident_bytes = static_cast<double>(pages) * static_cast<double>(sysconf(_SC_PAGESIZE));
  return result;
}

double open_files() {
  DIR* folder = opendir("/proc/self/fd");
  if (folder == nullptr) return 0;
  double count = -3;  // ".", ".." and the one that reads this folder.
  while (readdir(folder) != nullptr) ++count;
  closedir(folder);
  return count;
}

double max_files() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<double>(limit.rlim_cur);
}

// Unix time of the boot, from which /proc counts.
double boot_seconds() {
  timespec since_boot{};
  clock_gettime(CLOCK_BOOTTIME, &since_boot);
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<double>(now.tv_sec - since_boot.tv_sec) +
         static_cast<double>(now.tv_nsec - since_boot.tv_nsec) / 1e9;
}

}  // namespace

std::vector<Registry::Callback> show_process(Registry& registry) {
  std::vector<Registry::Callback> result;
  const auto show = [&](Kind kind, std::string_view name, std::string_view help, auto value) {
    result.push_back(registry.callback(kind, name, help, [value] {
      return std::vector<Sample>{{{}, value()}};
    }));
  };
  show(
      Kind::counter,
      "process_cpu_seconds_total",
      "User and system CPU time spent in seconds.",
      [] { return read_stat().cpu_seconds; }
  );
  show(Kind::gauge, "process_resident_memory_bytes", "Resident memory size in bytes.", [] {
    return read_stat().resident_bytes;
  });
  show(Kind::gauge, "process_virtual_memory_bytes", "Virtual memory size in bytes.", [] {
    return read_stat().virtual_bytes;
  });
  show(Kind::gauge, "process_threads", "Number of threads.", [] { return read_stat().threads; });
  show(Kind::gauge, "process_open_fds", "Number of open file descriptors.", [] {
    return open_files();
  });
  show(Kind::gauge, "process_max_fds", "Maximum number of open file descriptors.", [] {
    return max_files();
  });
  // Fixed once, so that a moved clock does not look like a restart.
  const double started = boot_seconds() + read_stat().start_seconds;
  show(
      Kind::gauge,
      "process_start_time_seconds",
      "Start time of the process since the Unix epoch in seconds.",
      [started] { return started; }
  );
  result.push_back(registry.callback(
      Kind::gauge,
      "weir_build_info",
      "The version that runs; the value is 1.",
      [] {
        return std::vector<Sample>{{{{"version", WEIR_VERSION}}, 1}};
      }
  ));
  return result;
}

}  // namespace weir::metrics
