#include "base/program_memory.h"

#include <cstdio>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

namespace weir {
namespace {

// Memory of this process that is mapped from files, in KiB.
long file_memory() {
  std::ifstream status("/proc/self/status");
  std::string name;
  while (status >> name) {
    long value = 0;
    if (name == "RssFile:" && status >> value) return value;
  }
  return -1;
}

TEST(ProgramMemory, CodeThatIsNotRunningGoesBackAndStillRuns) {
  const long before = file_memory();
  ASSERT_GT(before, 0);
  give_back_code();
  EXPECT_LT(file_memory(), before);
  char text[16];
  std::snprintf(text, sizeof(text), "%d", 42);
  EXPECT_EQ(std::string(text), "42");
}

}  // namespace
}  // namespace weir
