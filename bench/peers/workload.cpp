#include "bench/peers/workload.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <numeric>
#include <random>
#include <vector>

namespace mayfly::bench {

namespace {

constexpr std::uint64_t kOrderSeed = 20'240'501;
constexpr std::string_view kPing = "*1\r\n$4\r\nPING\r\n";
constexpr std::string_view kReplyOff = "*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$3\r\nOFF\r\n";
constexpr std::string_view kReplyOn = "*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$2\r\nON\r\n";
constexpr std::string_view kNatsHello = "CONNECT {\"verbose\":false,\"pedantic\":false}\r\nPING\r\n";

constexpr std::array kFormats{
    // The native listener: the barrier is PING. Also what the bare sink and the toy store are sent.
    Format{"log", "*4\r\n$3\r\nLOG\r\n$5\r\nbench\r\n$16\r\n", "\r\n$100\r\n", "\r\n", "+GO\r\n", "", "", "",
           kPing, "+PONG\r\n"},
    Format{"status", "*4\r\n$6\r\nSTATUS\r\n$5\r\nbench\r\n$16\r\n", "\r\n$100\r\n", "\r\n", "+GO\r\n", "",
           "", "", kPing, "+PONG\r\n"},
    // 135 bytes a record.
    Format{"line", "LOG bench-inline ", " ", "\n", "+GO\r\n", "", "", "", "PING\r\n", "+PONG\r\n"},
    // Redis, and Mayfly's listener for its clients: the same bytes.
    Format{"set", "*3\r\n$3\r\nSET\r\n$16\r\n", "\r\n$100\r\n", "\r\n", "", "", "", kReplyOff, kReplyOn,
           "+OK\r\n"},
    Format{"hset", "*4\r\n$4\r\nHSET\r\n$5\r\nbench\r\n$16\r\n", "\r\n$100\r\n", "\r\n", "", "", "",
           kReplyOff, kReplyOn, "+OK\r\n"},
    Format{"xadd",
           "*8\r\n$4\r\nXADD\r\n$6\r\nstream\r\n$6\r\nMAXLEN\r\n$1\r\n~\r\n$4\r\n2048\r\n$1\r\n*\r\n$16\r\n",
           "\r\n$100\r\n", "\r\n", "", "", "", kReplyOff, kReplyOn, "+OK\r\n"},
    Format{"memcached", "set ", " 0 0 100 noreply\r\n", "\r\n", "", "", "", "", "mn\r\n", "MN\r\n"},
    Format{"nats", "PUB bench.", " 100\r\n", "\r\n", "\r\n", kNatsHello, "PONG\r\n", "", "PING\r\n",
           "PONG\r\n"},
    Format{"nats-one", "PUB one.subject 116\r\n", "", "\r\n", "\r\n", kNatsHello, "PONG\r\n", "", "PING\r\n",
           "PONG\r\n"},
    Format{"syslog", "<13>Oct 11 22:14:15 host ", ": ", "\n", "", "", "", "", "", ""},
};

std::string key_text(std::size_t key) {
  char text[kKeyBytes + 1];
  std::snprintf(text, sizeof text, "key-%012zu", key);
  return text;
}

std::string value_text(std::string_view prefix, std::mt19937_64& random) {
  std::string text(prefix);
  while (text.size() < kValueBytes) text += static_cast<char>('a' + random() % 26);
  return text;
}

std::string in_directory(std::string_view text, std::string_view directory) {
  std::string all(text);
  const auto at = all.find(kDirectory);
  if (at != std::string::npos) all.replace(at, kDirectory.size(), directory);
  return all;
}

}  // namespace

const Format* find_format(std::string_view name) {
  const auto found =
      std::find_if(kFormats.begin(), kFormats.end(), [name](const Format& one) { return one.name == name; });
  return found == kFormats.end() ? nullptr : &*found;
}

Workload::Workload(const Format& format, std::string_view directory)
    : format_(format),
      before_key_(in_directory(format.before_key, directory)),
      record_bytes_(before_key_.size() + kKeyBytes + format.between.size() + kValueBytes +
                    format.after.size()) {
  std::mt19937_64 random(kOrderSeed);
  std::vector<std::size_t> order(kKeys);
  std::iota(order.begin(), order.end(), 0);
  const auto shuffle = [&] {  // std::shuffle's order is the library's own; this one is the same everywhere
    for (std::size_t i = kKeys - 1; i > 0; --i) std::swap(order[i], order[random() % (i + 1)]);
  };
  for (std::size_t lap = 0; lap < kBodyLaps; ++lap) {
    shuffle();
    for (const auto key : order) append_record(body_, key_text(key), value_text("", random));
  }
  shuffle();
  for (const auto key : order) {
    const auto value = value_text("last-", random);
    append_record(last_lap_, key_text(key), value);
    last_values_ += key_text(key) + " " + value + "\n";
  }
}

void Workload::append_record(std::string& out, std::string_view key, std::string_view value) const {
  for (const auto part : {std::string_view(before_key_), key, format_.between, value, format_.after})
    out += part;
}

std::string_view Workload::piece(std::uint64_t place, std::uint64_t laps, std::size_t max_bytes) const {
  const auto body_end = stream_bytes(laps - 1);
  if (place >= body_end) return std::string_view(last_lap_).substr(place - body_end, max_bytes);
  const auto offset = place % body_.size();
  return std::string_view(body_).substr(offset, std::min<std::uint64_t>(max_bytes, body_end - place));
}

std::string Workload::last_values() const { return last_values_; }

}  // namespace mayfly::bench
