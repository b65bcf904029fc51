#include "cli/load_limit.h"

#include <time.h>

namespace mayfly::cli {

namespace {

constexpr double kShortest = 0.05;  // seconds; below, all shares are noise
constexpr double kRateReached = 0.98;
constexpr double kNoticeable = 0.05;  // of the time spent waiting: the other end is slower
constexpr double kBusy = 0.8;         // of a processor

std::uint64_t timespec_ns(const timespec& time) {
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000ull +
         static_cast<std::uint64_t>(time.tv_nsec);
}

}  // namespace

std::string_view limit_name(Limit limit) {
  switch (limit) {
    case Limit::rate:
      return "rate";
    case Limit::server:
      return "server";
    case Limit::sender:
      return "this_program";
    case Limit::machine:
      return "machine";
    case Limit::none:
      break;
  }
  return "";
}

std::string_view limit_text(Limit limit) {
  switch (limit) {
    case Limit::rate:
      return "the rate asked for: more was not tried";
    case Limit::server:
      return "the server: it took no more";
    case Limit::sender:
      return "this program: the server could take more (try --threads, or a larger --batch)";
    case Limit::machine:
      return "the machine: neither end had a processor to itself";
    case Limit::none:
      break;
  }
  return "not known: it was over too soon";
}

Limit find_limit(const LoadShares& shares) {
  if (shares.seconds < kShortest) return Limit::none;
  if (shares.rate >= kRateReached) return Limit::rate;
  if (shares.waited >= kNoticeable) {
    // A server elsewhere is all that could be waited for; one here ought to have been busy meanwhile.
    return shares.server.value_or(1) >= kBusy ? Limit::server : Limit::machine;
  }
  return shares.sender >= kBusy ? Limit::sender : Limit::machine;
}

std::optional<std::uint64_t> process_cpu_ns(pid_t pid) {
  clockid_t clock = 0;
  timespec time{};
  if (pid <= 0 || ::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &time) != 0)
    return std::nullopt;
  return timespec_ns(time);
}

std::uint64_t thread_cpu_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return timespec_ns(time);
}

}  // namespace mayfly::cli
