// What held a load back: the server, the program that sends, the rate that was asked for, or the
// machine they share. Without knowing that, a rate says nothing about the server.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string_view>

namespace mayfly::cli {

enum class Limit : std::uint8_t {
  none,     // too short to tell
  rate,     // what was asked for was reached
  server,   // it took no more: the sender waited for it
  sender,   // this program: it was always busy, and hardly ever had to wait
  machine,  // neither: the processors were given to something else, or shared
};

/// "rate", "server", "this_program", "machine"; "" for none.
std::string_view limit_name(Limit limit);
/// For people: a clause.
std::string_view limit_text(Limit limit);

struct LoadShares {
  double sender = 0;             // processor time of a sending thread over the time it ran: 0..1
  double waited = 0;             // time that a sending thread waited for the server: 0..1
  std::optional<double> server;  // processor time of the server over the time; over 1 with several workers
  double rate = 0;               // records a second that were sent, over those asked for; 0: none asked
  double seconds = 0;
};

Limit find_limit(const LoadShares& shares);

/// User and system time of a whole process so far, in nanoseconds, by its own clock; nothing when
/// it is gone.
std::optional<std::uint64_t> process_cpu_ns(pid_t pid);
/// Of the calling thread.
std::uint64_t thread_cpu_ns();

}  // namespace mayfly::cli
