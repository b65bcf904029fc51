#include "bench/hostile_tails.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "bench/scratch.h"

namespace mayfly::bench {
namespace {

// A follower's queue ends at 64 KiB (what one slice adds comes on top), its connection has buffers.
constexpr double kLimitPerTail = 256 << 10;
constexpr std::size_t kBatch = 50;
constexpr useconds_t kBatchPauseUs = 2000;
constexpr std::string_view kAsk = "GET /api/v1/tail/busy HTTP/1.1\r\nHost: localhost\r\n\r\n";

int open_tail(const HostileStack& stack, bool reads) {
  const int fd = connect_to(stack.port("relay"));
  if (fd < 0) return -1;
  const int small = 4096;
  if (!reads) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  char head[1024];
  if (send(fd, kAsk.data(), kAsk.size(), MSG_NOSIGNAL) < 0 || recv(fd, head, sizeof head, 0) <= 0 ||
      std::string_view(head, 12) != "HTTP/1.1 200") {
    close(fd);
    return -1;
  }
  return fd;
}

std::size_t occurrences(std::string_view text, std::string_view wanted) {
  std::size_t count = 0;
  for (std::size_t at = text.find(wanted); at != std::string_view::npos; at = text.find(wanted, at + 1))
    ++count;
  return count;
}

/// Counts what comes until it has seen record `last`, or nothing more comes.
void read_tail(int fd, const std::atomic<std::uint64_t>& last, TailsOutcome& outcome) {
  std::string text;
  char chunk[65536];
  ssize_t got = 0;
  while (outcome.seen < last.load() && (got = recv(fd, chunk, sizeof chunk, 0)) > 0) {
    text.append(chunk, static_cast<std::size_t>(got));
    const std::size_t whole = text.rfind('\n') + 1;
    const std::string_view lines = std::string_view(text).substr(0, whole);
    outcome.seen += occurrences(lines, "event: record\n");
    outcome.gaps += occurrences(lines, "event: gap\n");
    text.erase(0, whole);
  }
}

}  // namespace

TailsOutcome run_tails(const HostileStack& stack, std::size_t count, double seconds) {
  TailsOutcome outcome;
  outcome.limit_per_tail = kLimitPerTail;
  const std::uint64_t before = stack.own_memory("relayd");
  std::vector<int> mute;
  for (std::size_t i = 0; i < count; ++i) {
    const int fd = open_tail(stack, false);
    if (fd >= 0) mute.push_back(fd);
  }
  outcome.open = mute.size();
  const int reader = open_tail(stack, true);
  const int writer = connect_to(stack.port("ingest"));
  if (reader < 0 || writer < 0) give_up("no connection for the well-behaved ones");
  std::atomic<std::uint64_t> last{UINT64_MAX};
  std::uint64_t most = before;
  {
    const Background reading([&](const auto&) { read_tail(reader, last, outcome); });
    {
      const Background writing([&](const auto& stop) {
        const std::string value(100, 'v');
        while (!stop.load()) {
          std::string batch;
          for (std::size_t i = 0; i < kBatch; ++i) batch += "LOG busy k " + value + "\n";
          if (send(writer, batch.data(), batch.size(), MSG_NOSIGNAL) < 0) return;
          outcome.written += kBatch;
          most = std::max(most, stack.own_memory("relayd"));
          usleep(kBatchPauseUs);
        }
      });
      ask_for(seconds, outcome.reads, [&] { return !stack.get("/api/v1/directories").empty(); });
    }
    last.store(outcome.written);
  }
  most = std::max(most, stack.own_memory("relayd"));
  outcome.bytes_per_tail =
      static_cast<double>(most - before) / static_cast<double>(std::max<std::size_t>(1, mute.size()));
  for (const int fd : mute) drop(fd);
  drop(reader);
  drop(writer);
  return outcome;
}

}  // namespace mayfly::bench
