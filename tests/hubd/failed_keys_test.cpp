#include "hubd/failed_keys.h"

#include <gtest/gtest.h>

namespace mayfly::hubd {
namespace {

TEST(FailedKeys, AllowsABurstAndRefillsSlowly) {
  FailedKeys keys;
  for (unsigned i = 0; i < FailedKeys::kBurst; ++i) {
    ASSERT_TRUE(keys.may_try("1.2.3.4", "a", 1000)) << i;
    keys.failed("1.2.3.4", "a", 1000);
  }
  EXPECT_FALSE(keys.may_try("1.2.3.4", "a", 1000));
  EXPECT_FALSE(keys.may_try("1.2.3.4", "a", 1000 + FailedKeys::kRefillMs - 1));
  EXPECT_TRUE(keys.may_try("1.2.3.4", "a", 1000 + FailedKeys::kRefillMs));
  keys.failed("1.2.3.4", "a", 1000 + FailedKeys::kRefillMs);
  EXPECT_FALSE(keys.may_try("1.2.3.4", "a", 1000 + FailedKeys::kRefillMs));
}

TEST(FailedKeys, CountsEachPairForItself) {
  FailedKeys keys;
  for (unsigned i = 0; i < FailedKeys::kBurst; ++i) keys.failed("1.2.3.4", "a", 0);
  EXPECT_FALSE(keys.may_try("1.2.3.4", "a", 0));
  EXPECT_TRUE(keys.may_try("1.2.3.4", "b", 0));
  EXPECT_TRUE(keys.may_try("1.2.3.5", "a", 0));
}

TEST(FailedKeys, ForgetsWhoFailedLongestAgo) {
  FailedKeys keys;
  for (unsigned i = 0; i < FailedKeys::kBurst; ++i) keys.failed("old", "a", 0);
  for (std::size_t i = 0; i < FailedKeys::kMaxEntries - 1; ++i) keys.failed(std::to_string(i), "a", 0);
  EXPECT_FALSE(keys.may_try("old", "a", 0));
  keys.failed("one more", "a", 0);
  EXPECT_TRUE(keys.may_try("old", "a", 0));
}

TEST(FailedKeys, OneNetworkIsOneAddress) {
  EXPECT_EQ(FailedKeys::address_of("1.2.3.4:5678"), "1.2.3.4");
  EXPECT_EQ(FailedKeys::address_of("[2001:db8:1:2:3:4:5:6]:80"), "2001:db8:1:2::");
  EXPECT_EQ(FailedKeys::address_of("[2001:db8:1:2:ffff::1]:81"), "2001:db8:1:2::");
  EXPECT_EQ(FailedKeys::address_of("unix"), "unix");
}

}  // namespace
}  // namespace mayfly::hubd
