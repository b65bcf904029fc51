#include "cli/load_connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace mayfly::cli {

namespace {

constexpr std::string_view kBarrier = "*1\r\n$7\r\nDROPPED\r\n*1\r\n$4\r\nPING\r\n";
constexpr std::uint64_t kBarrierBytes = 1 << 20;
constexpr std::chrono::milliseconds kReconnectAfter{20};
constexpr int kSendsPerTurn = 8;  // then it is the next connection's turn

}  // namespace

void LoadCounts::add(const LoadCounts& other) {
  sent += other.sent;
  bytes += other.bytes;
  covered += other.covered;
  unknown += other.unknown;
  breaks += other.breaks;
  for (const auto& [cause, count] : other.dropped) dropped[cause] += count;
}

std::uint64_t LoadCounts::dropped_total() const {
  std::uint64_t total = 0;
  for (const auto& [cause, count] : dropped) total += count;
  return total;
}

LoadConnection::LoadConnection(const LoadPlan& plan, const LoadBlock& block,
                               const std::vector<WriteTarget>& targets, std::size_t first_record)
    : plan_(plan), block_(block), targets_(targets), next_record_(first_record % block.records()) {}

short LoadConnection::events(std::uint64_t allowance) const {
  const bool wants_out = allowance > 0 || !pending_.empty();
  return static_cast<short>(POLLIN | (wants_out ? POLLOUT : 0));
}

void LoadConnection::work(std::uint64_t allowance) {
  if (!fd_ && !connect()) return;
  receive();
  if (fd_ && send_pending()) send_records(allowance);
}

bool LoadConnection::connect() {
  if (Clock::now() < next_try_) return false;
  next_try_ = Clock::now() + kReconnectAfter;
  const auto& target = targets_[next_target_];
  supervisor::Fd fd(::socket(target.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  // Blocking: the listeners are local and answer at once, also while a daemon restarts.
  if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&target.address), target.size) != 0) {
    next_target_ = (next_target_ + 1) % targets_.size();
    return false;
  }
  fd_ = std::move(fd);
  return true;
}

void LoadConnection::lose_connection() {
  fd_.reset();
  ++counts_.breaks;
  counts_.unknown += in_flight_;
  in_flight_ = 0;
  since_barrier_ = 0;
  barriers_.clear();
  pending_.clear();
  pending_record_ = false;
  announced_drops_.clear();
  connection_drops_.clear();
  parser_ = ReplyParser();
}

// True when nothing is pending any more.
bool LoadConnection::send_pending() {
  while (!pending_.empty()) {
    const ssize_t n = ::send(fd_.get(), pending_.data(), pending_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      if (errno != EAGAIN) lose_connection();
      return false;
    }
    pending_.erase(0, static_cast<std::size_t>(n));
  }
  if (pending_record_) {
    pending_record_ = false;
    ++counts_.sent;
    ++in_flight_;
  }
  return true;
}

void LoadConnection::send_records(std::uint64_t allowance) {
  std::uint64_t begun = 0;
  for (int turn = 0; turn < kSendsPerTurn && begun < allowance; ++turn) {
    if (since_barrier_ >= kBarrierBytes) {
      queue_barrier();
      if (!send_pending()) break;
    }
    const auto count =
        std::min<std::uint64_t>(block_.fitting(next_record_, plan_.batch_bytes), allowance - begun);
    const auto bytes = block_.bytes(next_record_, count);
    const ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0) {
      if (errno != EAGAIN && errno != EINTR) lose_connection();
      break;
    }
    const auto sent = static_cast<std::size_t>(n);
    const auto whole = block_.whole(next_record_, count, sent);
    counts_.sent += whole;
    counts_.bytes += sent;
    in_flight_ += whole;
    since_barrier_ += sent;
    begun += whole;
    const auto whole_bytes = block_.bytes(next_record_, whole).size();
    next_record_ = (next_record_ + whole) % block_.records();
    if (whole_bytes == sent) continue;
    // The rest of a record that is out in part goes first when the socket takes more.
    const auto record = block_.bytes(next_record_, 1);
    pending_ = record.substr(sent - whole_bytes);
    pending_record_ = true;
    counts_.bytes += pending_.size();
    next_record_ = (next_record_ + 1) % block_.records();
    break;
  }
}

void LoadConnection::queue_barrier() {
  pending_ += kBarrier;
  barriers_.push_back(in_flight_);
  since_barrier_ = 0;
}

void LoadConnection::receive() {
  char bytes[8192];
  for (;;) {
    const ssize_t n = ::recv(fd_.get(), bytes, sizeof bytes, MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n > 0) {
      parser_.feed({bytes, static_cast<std::size_t>(n)});
      while (const auto reply = parser_.next()) take(*reply);
    }
    if (n <= 0 || parser_.failed()) {
      lose_connection();
      return;
    }
  }
}

void LoadConnection::take(const Reply& reply) {
  if (reply.type == '*') {
    announced_drops_.clear();
    for (std::size_t i = 0; i + 1 < reply.items.size(); i += 2) {
      announced_drops_[reply.items[i]] = std::strtoull(reply.items[i + 1].c_str(), nullptr, 10);
    }
  } else if (reply.type == '+' && reply.text == "PONG" && !barriers_.empty()) {
    const auto covered = barriers_.front();
    barriers_.pop_front();
    for (auto& later : barriers_) later -= covered;
    in_flight_ -= covered;
    counts_.covered += covered;
    count_announced_drops();
  }
}

void LoadConnection::count_announced_drops() {
  for (const auto& [cause, total] : announced_drops_) {
    auto& known = connection_drops_[cause];
    if (total > known) counts_.dropped[cause] += total - known;
    known = total;
  }
}

bool LoadConnection::finish() {
  if (!fd_) return true;
  receive();
  if (!fd_ || !send_pending()) return !fd_;
  if (!finishing_) {
    finishing_ = true;
    queue_barrier();
    send_pending();
  }
  return !fd_ || (barriers_.empty() && pending_.empty());
}

void LoadConnection::close() {
  counts_.unknown += in_flight_;
  in_flight_ = 0;
  fd_.reset();
}

}  // namespace mayfly::cli
