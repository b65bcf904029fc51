// What waits to be sent to a native client: bounded, whether it reads or not.
//
// While there is room, everything is kept in order. Beyond that, of GO and STOP the latest wins,
// PONGs are counted instead of written out, errors are added up, and other replies are left out
// (and said to be). Nothing closes for it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "ingestd/service_state.h"

namespace mayfly::ingestd {

/// Not thread-safe.
class NativeOutput {
 public:
  static constexpr std::size_t kLimit = 4096;
  /// Errors leave so much of it to replies.
  static constexpr std::size_t kErrorLimit = 2048;

  void notice(Service service);
  void pong();
  /// A whole reply, with its line end.
  void reply(std::string_view text);
  /// An error's text, without "-" and line end.
  void error(std::string_view text);

  /// What is to be sent next; empty: nothing waits.
  std::string_view pending();
  void sent(std::size_t bytes);

 private:
  bool room(std::size_t bytes, std::size_t limit = kLimit) const { return bytes_.size() + bytes <= limit; }
  void refill();

  std::string bytes_;
  std::size_t sent_ = 0;
  std::optional<Service> notice_;
  std::uint64_t pongs_ = 0;
  std::uint64_t errors_left_out_ = 0;
  std::uint64_t replies_left_out_ = 0;
};

}  // namespace mayfly::ingestd
