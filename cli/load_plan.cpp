#include "cli/load_plan.h"

#include <algorithm>
#include <array>

#include "cli/resp_writer.h"

namespace mayfly::cli {

namespace {

constexpr std::size_t kMaxBytes = 8 << 20;

// Printable, different from record to record.
void fill_value(std::string& value, std::uint64_t number) {
  std::uint64_t state = number * 0x9E3779B97F4A7C15ull + 1;
  for (char& c : value) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    c = static_cast<char>('a' + (state >> 59) % 26);
  }
}

}  // namespace

std::string LoadPlan::directory(std::uint32_t index) const {
  return prefix + "-" + std::string(shm::kind_name(kind)) + "-" + std::to_string(index);
}

LoadBlock::LoadBlock(const LoadPlan& plan) {
  const std::string command = plan.kind == shm::Kind::log ? "LOG" : "STATUS";
  std::string value(plan.value_bytes, 'x');
  const std::uint64_t round = std::uint64_t{plan.keys} * plan.directories;
  for (std::uint64_t i = 0; i < round || bytes_.size() < plan.batch_bytes; ++i) {
    const auto place = i % round;
    const auto directory = plan.directory(static_cast<std::uint32_t>(place % plan.directories));
    const auto key = "key-" + std::to_string(place / plan.directories);
    fill_value(value, i);
    append_resp_command(bytes_, std::array<std::string_view, 4>{command, directory, key, value});
    ends_.push_back(bytes_.size());
    if (bytes_.size() >= kMaxBytes) break;
  }
}

std::string_view LoadBlock::bytes(std::size_t first, std::size_t count) const {
  return std::string_view(bytes_).substr(start(first), start(first + count) - start(first));
}

std::size_t LoadBlock::fitting(std::size_t first, std::size_t max_bytes) const {
  const auto end = std::upper_bound(ends_.begin() + static_cast<std::ptrdiff_t>(first), ends_.end(),
                                    start(first) + max_bytes);
  return std::max<std::size_t>(1, static_cast<std::size_t>(end - ends_.begin()) - first);
}

std::size_t LoadBlock::whole(std::size_t first, std::size_t count, std::size_t sent) const {
  const auto from = ends_.begin() + static_cast<std::ptrdiff_t>(first);
  const auto end = std::upper_bound(from, from + static_cast<std::ptrdiff_t>(count), start(first) + sent);
  return static_cast<std::size_t>(end - from);
}

}  // namespace mayfly::cli
