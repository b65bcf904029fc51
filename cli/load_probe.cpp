#include "cli/load_probe.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>

#include "cli/resp_writer.h"
#include "shm/reader.h"
#include "supervisor/fd.h"

namespace mayfly::cli {

using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::steady_clock;

namespace {

constexpr milliseconds kBetween{5};
constexpr milliseconds kProbeRetry{50};
constexpr milliseconds kPatience{1000};  // for one record; a daemon may be restarting
constexpr microseconds kSpin{300};       // then the processor is left to others between looks
constexpr microseconds kLook{20};
constexpr std::size_t kMaxSamples = 1 << 20;

supervisor::Fd connect_to(const std::vector<WriteTarget>& targets) {
  for (const auto& target : targets) {
    supervisor::Fd fd(::socket(target.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (fd && ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&target.address), target.size) == 0)
      return fd;
  }
  return {};
}

std::optional<std::uint64_t> next_seq(const shm::Reader& reader, const std::string& directory) {
  const auto info = reader.find(shm::Kind::log, directory);
  return info ? std::optional(info->next_seq) : std::nullopt;
}

// True once the directory's sequence has gone beyond `seq`.
bool await_seq(const shm::Reader& reader, const std::string& directory, std::uint32_t id, std::uint64_t seq,
               steady_clock::time_point begin) {
  auto seen = reader.generation(id);
  for (auto now = begin; now - begin < kPatience; now = steady_clock::now()) {
    const auto generation = reader.generation(id);
    if (generation != seen) {
      seen = generation;
      if (next_seq(reader, directory).value_or(0) > seq) return true;
    }
    if (now - begin > kSpin) std::this_thread::sleep_for(kLook);
  }
  return false;
}

}  // namespace

LatencySummary summarize(std::vector<std::uint64_t> samples) {
  LatencySummary summary;
  if (samples.empty()) return summary;
  std::sort(samples.begin(), samples.end());
  const auto at = [&](std::size_t percent) { return samples[(samples.size() - 1) * percent / 100]; };
  return {samples.size(), at(50), at(90), at(99), samples.back()};
}

LoadProbe::LoadProbe(std::string segment_path, std::string directory, const std::vector<WriteTarget>& targets)
    : segment_path_(std::move(segment_path)), directory_(std::move(directory)), targets_(targets) {}

LoadProbe::~LoadProbe() { stop(); }

void LoadProbe::start() {
  thread_ = std::thread([this] { run(); });
}

std::vector<std::uint64_t> LoadProbe::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
  return std::move(samples_);
}

void LoadProbe::run() {
  while (!stopping_) {
    measure_on_one_connection();
    if (!stopping_) std::this_thread::sleep_for(kProbeRetry);
  }
}

// Until it breaks, or the segment is another one.
void LoadProbe::measure_on_one_connection() {
  const auto socket = connect_to(targets_);
  auto reader = shm::Reader::open(segment_path_);
  if (!socket || !reader) return;
  std::string command;
  append_resp_command(command, std::array<std::string_view, 4>{"LOG", directory_, "probe", "visible?"});
  const auto write_one = [&] {
    return ::send(socket.get(), command.data(), command.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(command.size());
  };
  // The first record opens the directory and is not measured.
  if (!write_one()) return;
  std::optional<shm::DirectoryInfo> info;
  for (const auto begin = steady_clock::now(); !info && steady_clock::now() - begin < kPatience;) {
    std::this_thread::sleep_for(milliseconds(1));
    info = reader.value().find(shm::Kind::log, directory_);
  }
  std::this_thread::sleep_for(kBetween);
  while (info && !stopping_ && samples_.size() < kMaxSamples) {
    const auto seq = next_seq(reader.value(), directory_);
    const auto begin = steady_clock::now();
    if (!seq || !write_one() || !await_seq(reader.value(), directory_, info->id, *seq, begin)) return;
    samples_.push_back(
        static_cast<std::uint64_t>(duration_cast<nanoseconds>(steady_clock::now() - begin).count()));
    std::this_thread::sleep_for(kBetween);
  }
}

}  // namespace mayfly::cli
