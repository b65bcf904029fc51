// Runs every kept input of every fuzz target once: what was found must stay mended, and what is
// interesting must stay well under every compiler and sanitizer of ./dev test.
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "tests/fuzz/target.h"

namespace mayfly::fuzz {
namespace {

std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

class Replay : public ::testing::TestWithParam<std::pair<const std::string, Function>> {};

TEST_P(Replay, EveryKeptInput) {
  spdlog::set_level(spdlog::level::off);
  const auto& [name, function] = GetParam();
  const std::filesystem::path folder = std::filesystem::path(MAYFLY_FUZZ_CORPUS) / name;
  ASSERT_TRUE(std::filesystem::is_directory(folder)) << folder;
  std::size_t ran = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string input = contents(entry.path());
    SCOPED_TRACE(entry.path().filename().string());
    // Its end would say no name: this line is what names the input that ended the program.
    std::fprintf(stderr, "%s/%s\r", name.c_str(), entry.path().filename().c_str());
    function(input);
    ++ran;
  }
  function({});
  std::printf("%s: %zu inputs\n", name.c_str(), ran);
  EXPECT_GT(ran, 0u);
}

INSTANTIATE_TEST_SUITE_P(Targets, Replay, ::testing::ValuesIn(targets().begin(), targets().end()),
                         [](const auto& target) { return target.param.first; });

TEST(ReplayTargets, AreThere) { EXPECT_EQ(targets().size(), MAYFLY_FUZZ_TARGETS); }

}  // namespace
}  // namespace mayfly::fuzz
