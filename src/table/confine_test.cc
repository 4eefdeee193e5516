#include "table/confine.h"

#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "table/test_worker.h"

namespace weir::table {
namespace {

// Runs the work in a process of its own, which it may confine; the exit code is its result.
template <class Work>
int in_child(Work work) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(work());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(Confine, TakesSocketsAndProgramsAway) {
  EXPECT_EQ(in_child([] { return ::socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 0 : 1; }), 0);
  EXPECT_EQ(
      in_child([] {
        confine_process({});
        if (::socket(AF_INET, SOCK_STREAM, 0) >= 0 || errno != EACCES) return 1;
        if (::socket(AF_UNIX, SOCK_STREAM, 0) >= 0 || errno != EACCES) return 2;
        ::execl("/bin/true", "true", nullptr);
        if (errno != EACCES) return 3;
        // Files still work.
        return ::open("/dev/null", O_RDONLY) >= 0 ? 0 : 4;
      }),
      0
  );
}

TEST(Confine, LowersThePriorityAndForbidsCoreFiles) {
  EXPECT_EQ(
      in_child([] {
        confine_process({0, 10});
        rlimit core{};
        ::getrlimit(RLIMIT_CORE, &core);
        if (core.rlim_max != 0) return 1;
        return ::getpriority(PRIO_PROCESS, 0) >= 10 ? 0 : 2;
      }),
      0
  );
}

TEST(Confine, LetsNoFileGrowWhileWritingIsBanned) {
  const Folder folder;
  const std::string path = folder.write("a", "12");
  EXPECT_EQ(
      in_child([&] {
        confine_process({});
        const int file = ::open(path.c_str(), O_WRONLY | O_APPEND);
        {
          const WriteBan ban;
          if (::write(file, "3", 1) == 1 || errno != EFBIG) return 1;
          const int other = ::open(folder.file("b").c_str(), O_WRONLY | O_CREAT, 0600);
          if (::write(other, "3", 1) == 1) return 2;
        }
        return ::write(file, "3", 1) == 1 ? 0 : 3;
      }),
      0
  );
  EXPECT_EQ(Folder::read(path), "123");
}

}  // namespace
}  // namespace weir::table
