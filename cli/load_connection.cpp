#include "cli/load_connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace mayfly::cli {

namespace {

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
    : plan_(plan),
      block_(block),
      targets_(targets),
      first_(first_record % block.records()),
      place_(block.place_of(first_)),
      accounted_(first_),
      next_barrier_(block.barriers_at(place_)) {}

LoadCounts LoadConnection::counts() const {
  LoadCounts counts;
  counts.sent = block_.whole_at(place_) - first_;
  counts.bytes = bytes_;
  counts.covered = covered_;
  counts.unknown = unknown_;
  counts.dropped = dropped_;
  counts.breaks = breaks_;
  return counts;
}

short LoadConnection::events(std::uint64_t allowance) const {
  const bool wants_out = allowance > 0 || !tail_.empty() || block_.boundary(place_) != place_;
  return static_cast<short>(POLLIN | (wants_out ? POLLOUT : 0));
}

void LoadConnection::work(short ready, std::uint64_t allowance) {
  if (!fd_ && !connect()) return;
  if ((ready & ~POLLOUT) != 0) receive();
  // What is cut is sent to its end, allowed or not.
  const auto end = block_.place_of(first_ + begun() + allowance);
  if (fd_) send_some(std::max(end, block_.boundary(place_)));
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

// Records that are out whole and not accounted for are unknown; one that is out in part never counts
// at the server, and is sent again.
void LoadConnection::lose_connection() {
  const auto whole = block_.whole_at(place_);
  fd_.reset();
  ++breaks_;
  unknown_ += whole - accounted_;
  accounted_ = whole;
  place_ = block_.place_of(whole);
  next_barrier_ = block_.barriers_at(place_);
  barriers_.clear();
  tail_.clear();
  announced_drops_.clear();
  connection_drops_.clear();
  parser_ = ReplyParser();
  redis_ = RedisReplies();
}

void LoadConnection::send_some(std::uint64_t end) {
  for (int turn = 0; turn < kSendsPerTurn && place_ < end; ++turn) {
    const auto piece = block_.piece(place_, std::min<std::uint64_t>(plan_.batch_bytes, end - place_));
    const ssize_t n = ::send(fd_.get(), piece.data(), piece.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0) {
      if (errno != EAGAIN && errno != EINTR) lose_connection();
      return;
    }
    place_ += static_cast<std::uint64_t>(n);
    bytes_ += static_cast<std::uint64_t>(n);
    note_barriers();
  }
}

void LoadConnection::note_barriers() {
  if (plan_.dialect == Dialect::redis) return;
  for (const auto out = block_.barriers_at(place_); next_barrier_ < out; ++next_barrier_)
    barriers_.push_back(block_.records_before(next_barrier_));
}

// True when nothing of the final barrier is left.
bool LoadConnection::send_tail() {
  while (!tail_.empty()) {
    const ssize_t n = ::send(fd_.get(), tail_.data(), tail_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      if (errno != EAGAIN) lose_connection();
      return false;
    }
    tail_.erase(0, static_cast<std::size_t>(n));
  }
  return true;
}

void LoadConnection::receive() {
  char bytes[64 << 10];
  for (;;) {
    const ssize_t n = ::recv(fd_.get(), bytes, sizeof bytes, MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    const std::string_view received(bytes, n > 0 ? static_cast<std::size_t>(n) : 0);
    if (plan_.dialect == Dialect::redis) {
      cover(accounted_ + redis_.count(received, dropped_));
    } else {
      parser_.feed(received);
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
    cover(barriers_.front());
    barriers_.pop_front();
    count_announced_drops();
  }
}

void LoadConnection::cover(std::uint64_t up_to) {
  up_to = std::min(up_to, block_.whole_at(place_));
  covered_ += up_to - std::min(accounted_, up_to);
  accounted_ = std::max(accounted_, up_to);
}

void LoadConnection::count_announced_drops() {
  for (const auto& [cause, total] : announced_drops_) {
    auto& known = connection_drops_[cause];
    if (total > known) dropped_[cause] += total - known;
    known = total;
  }
}

bool LoadConnection::finish() {
  if (!fd_) return true;
  receive();
  if (fd_) send_some(block_.boundary(place_));
  if (!fd_ || block_.boundary(place_) != place_) return !fd_;
  if (!finishing_ && plan_.dialect != Dialect::redis) {
    tail_ = kLoadBarrier;
    barriers_.push_back(block_.whole_at(place_));
  }
  finishing_ = true;
  return send_tail() ? all_answered() : !fd_;
}

void LoadConnection::close() {
  if (fd_) unknown_ += block_.whole_at(place_) - accounted_;
  fd_.reset();
}

}  // namespace mayfly::cli
