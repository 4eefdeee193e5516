#include "base/secret.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(Secret, IsTheSameOnlyWhenAllOfItIs) {
  EXPECT_TRUE(is_same_secret("abc", "abc"));
  EXPECT_TRUE(is_same_secret("", ""));
  EXPECT_FALSE(is_same_secret("abc", "abd"));
  EXPECT_FALSE(is_same_secret("abc", "abcd"));
}

TEST(Secret, ABearerNamesItsSchemeAndTheWholeToken) {
  EXPECT_TRUE(is_bearer_of("Bearer abc", "abc"));
  EXPECT_FALSE(is_bearer_of("abc", "abc"));
  EXPECT_FALSE(is_bearer_of("Basic abc", "abc"));
  EXPECT_FALSE(is_bearer_of("Bearer abc ", "abc"));
  EXPECT_FALSE(is_bearer_of("", "abc"));
}

}  // namespace
}  // namespace weir
