#include "cli/write_client.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "cli/resp_writer.h"

namespace mayfly::cli {

using std::chrono::milliseconds;

namespace {

constexpr std::size_t kQueueBytes = 1 << 20;  // more waits, or is lost where nothing moves
constexpr std::size_t kBytesPerPing = 256 << 10;
constexpr milliseconds kStillMoving{1000};
constexpr milliseconds kConnectLimit{2000};
constexpr milliseconds kRetryAtMost{250};

std::uint64_t number_of(const std::string& text) {
  return text.empty() || text.find_first_not_of("0123456789") != std::string::npos ? 0 : std::stoull(text);
}

}  // namespace

std::uint64_t WriteSummary::dropped_total() const {
  std::uint64_t total = 0;
  for (const auto& [cause, count] : dropped) total += count;
  return total;
}

WriteClient::WriteClient(std::vector<WriteTarget> targets)
    : targets_(std::move(targets)), last_progress_(Clock::now()) {
  connect_next();
}

void WriteClient::put(const std::vector<std::string_view>& arguments) {
  if (!has_room()) {
    ++summary_.lost;
    return;
  }
  std::string bytes;
  append_resp_command(bytes, arguments);
  queue(bytes, Entry::record);
  if (since_ping_ >= kBytesPerPing) ask_for_barrier();
}

bool WriteClient::has_room() const { return unsent() < kQueueBytes; }

bool WriteClient::progressing() const {
  return state_ != State::idle && Clock::now() - last_progress_ < kStillMoving;
}

void WriteClient::queue(std::string_view bytes, Entry entry) {
  buffer_ += bytes;
  queue_.push_back({bytes.size(), entry});
  if (entry == Entry::record) since_ping_ += bytes.size();
}

void WriteClient::ask_for_barrier() {
  since_ping_ = 0;
  queue("*1\r\n$4\r\nPING\r\n", Entry::ping);
}

bool WriteClient::turn(int extra_fd, milliseconds wait) {
  if (state_ == State::idle && !targets_.empty() && Clock::now() >= next_try_) connect_next();
  pollfd fds[2] = {{-1, 0, 0}, {extra_fd, POLLIN, 0}};
  if (state_ != State::idle) {
    const bool wants_out = state_ == State::connecting || unsent() > 0;
    fds[0] = {fd_.get(), static_cast<short>(POLLIN | (wants_out ? POLLOUT : 0)), 0};
  } else {
    wait = std::min(wait, kRetryAtMost);
  }
  ::poll(fds, 2, static_cast<int>(wait.count()));
  if (state_ == State::connecting) check_connect();
  if (state_ == State::connected) {
    if (fds[0].revents != 0) receive_some();
    if (state_ == State::connected && unsent() > 0) send_some();
  }
  return extra_fd >= 0 && fds[1].revents != 0;
}

void WriteClient::connect_next() {
  const auto& target = targets_[next_target_];
  next_target_ = (next_target_ + 1) % targets_.size();
  fd_ = supervisor::Fd(::socket(target.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  state_ = State::connecting;
  last_progress_ = Clock::now();
  if (fd_ && ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&target.address), target.size) == 0) {
    state_ = State::connected;
  } else if (!fd_ || errno != EINPROGRESS) {
    give_up("cannot connect to " + target.text + ": " + std::strerror(errno));
  }
}

void WriteClient::check_connect() {
  const auto& target = targets_[(next_target_ + targets_.size() - 1) % targets_.size()];
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  pollfd ready{fd_.get(), POLLOUT, 0};
  if (error != 0) {
    give_up("cannot connect to " + target.text + ": " + std::strerror(error));
  } else if (::poll(&ready, 1, 0) == 1) {
    state_ = State::connected;
    last_progress_ = Clock::now();
  } else if (Clock::now() - last_progress_ >= kConnectLimit) {
    give_up("no answer from " + target.text);
  }
}

void WriteClient::give_up(const std::string& trouble) {
  summary_.trouble = trouble;
  summary_.unknown += in_flight_;
  in_flight_ = 0;
  barriers_.clear();
  parser_ = ReplyParser();
  // What was handed over in part was not taken: it goes whole on the next connection.
  sent_ -= head_sent_;
  head_sent_ = 0;
  fd_.reset();
  refused_in_a_row_ = state_ == State::connecting ? refused_in_a_row_ + 1 : 0;
  state_ = State::idle;
  // The next address at once; all of them again after a pause.
  if (next_target_ == 0) next_try_ = Clock::now() + kRetryAtMost;
}

void WriteClient::send_some() {
  while (unsent() > 0) {
    const ssize_t n = ::send(fd_.get(), buffer_.data() + sent_, unsent(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (n < 0) {
      give_up(std::string("the connection broke: ") + std::strerror(errno));
      return;
    }
    last_progress_ = Clock::now();
    advance(static_cast<std::size_t>(n));
  }
  if (in_flight_ > 0 && barriers_.empty()) ask_for_barrier();
}

void WriteClient::advance(std::size_t bytes) {
  sent_ += bytes;
  head_sent_ += bytes;
  while (!queue_.empty() && head_sent_ >= queue_.front().bytes) {
    head_sent_ -= queue_.front().bytes;
    on_sent(queue_.front().entry);
    queue_.pop_front();
  }
  // head_sent_ bytes must stay: they may have to be sent again.
  const std::size_t done = sent_ - head_sent_;
  if (done >= kQueueBytes / 2 || done == buffer_.size()) {
    buffer_.erase(0, done);
    sent_ = head_sent_;
  }
}

void WriteClient::on_sent(Entry entry) {
  if (entry == Entry::record) {
    ++in_flight_;
  } else if (entry == Entry::ping) {
    barriers_.push_back(in_flight_);
  }
}

void WriteClient::receive_some() {
  char bytes[4096];
  for (;;) {
    const ssize_t n = ::recv(fd_.get(), bytes, sizeof bytes, MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (n > 0) {
      parser_.feed({bytes, static_cast<std::size_t>(n)});
      while (const auto reply = parser_.next()) take(*reply);
    }
    if (n <= 0 || parser_.failed()) {
      give_up(n > 0                      ? "the other end is no ingest socket"
              : summary_.trouble.empty() ? "the connection was closed"
                                         : summary_.trouble);
      return;
    }
  }
}

void WriteClient::take(const Reply& reply) {
  last_progress_ = Clock::now();
  if (reply.type == '-') {
    summary_.trouble = reply.text;
  } else if (reply.type == '+' && reply.text == "PONG" && !barriers_.empty()) {
    const auto covered = barriers_.front();
    barriers_.pop_front();
    for (auto& later : barriers_) later -= covered;
    in_flight_ -= covered;
    summary_.confirmed += covered;
  } else if (reply.type == '*') {
    for (std::size_t i = 0; i + 1 < reply.items.size(); i += 2) {
      const auto count = number_of(reply.items[i + 1]);
      if (count > 0) summary_.dropped[reply.items[i]] += count;
    }
  }
}

// Replies come in order: once no PING is open, DROPPED was answered too. After a break what was
// sent cannot be asked about any more.
bool WriteClient::done() const { return queue_.empty() && in_flight_ == 0 && barriers_.empty(); }

void WriteClient::finish(milliseconds limit) {
  const auto until = Clock::now() + limit;
  queue("*1\r\n$7\r\nDROPPED\r\n", Entry::dropped);
  ask_for_barrier();
  refused_in_a_row_ = 0;
  // Refused twice at every address: nobody listens, where a daemon that restarts would keep us waiting.
  while (Clock::now() < until && !done() && refused_in_a_row_ < 2 * targets_.size())
    turn(-1, milliseconds(100));
  summary_.unknown += in_flight_;
  in_flight_ = 0;
  for (const auto& queued : queue_) summary_.lost += queued.entry == Entry::record ? 1 : 0;
  queue_.clear();
}

}  // namespace mayfly::cli
