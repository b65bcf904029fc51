#include "ingestd/connection.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace mayfly::ingestd {
namespace {

// After our last word (QUIT, protocol error) what the client still sends is read and thrown away
// for so long, or a reset could overtake the word.
constexpr std::uint64_t kLingerMs = 2000;
// A client that has ended its side gets so long to take its replies.
constexpr std::uint64_t kLastReplyMs = 30000;
// A large value is received in steps of at least so much.
constexpr std::size_t kOwnStepBytes = 64 << 10;
constexpr std::size_t kOwnReadBytes = 256 << 10;

// Nothing is wrong with the connection: the kernel wants it tried again.
bool may_pass(int error) {
  return error == EAGAIN || error == EWOULDBLOCK || error == ENOBUFS || error == ENOMEM;
}

}  // namespace

Connection::Connection(ConnectionOwner& owner, BufferAccount& account, int fd,
                       std::unique_ptr<Session> session)
    : owner_(owner), account_(account), fd_(fd), session_(std::move(session)), kept_(account) {}

Connection::~Connection() { account_.give_back(charged_bytes_); }

bool Connection::start(uv_loop_t* loop) {
  poll_.data = this;
  if (uv_poll_init(loop, &poll_, fd_) != 0) {
    ::close(fd_);
    closed_ = true;
    return false;
  }
  started_ = true;
  accepted_ms_ = uv_now(loop);
  update_poll();
  return true;
}

void Connection::close() {
  if (closed_) return;
  closed_ = true;
  uv_poll_stop(&poll_);
  uv_close(reinterpret_cast<uv_handle_t*>(&poll_), [](uv_handle_t* handle) {
    auto* self = static_cast<Connection*>(handle->data);
    ::close(self->fd_);
    self->owner_.on_closed(*self);
  });
}

void Connection::on_poll(uv_poll_t* handle, int status, int events) {
  auto* self = static_cast<Connection*>(handle->data);
  // An error (a reset) stops the handle; what had arrived before it is still there to be read.
  const bool broken = status < 0;
  if (broken) {
    self->interest_ = 0;
    self->output_dead_ = true;
  }
  if (broken || (events & UV_READABLE) != 0) {
    self->turn(broken);
  } else {
    self->owner_.begin_turn();
    self->flush();
    self->work_off_backlog();
    self->settle();
  }
}

void Connection::turn(bool to_end) {
  if (closed_) return;
  owner_.begin_turn();
  bool more = true;
  while (more && !input_ended_) {
    work_off_backlog();
    more = !backlog_ && receive();
    flush();
    more = more && to_end;
  }
  work_off_backlog();
  settle();
}

void Connection::drain(std::uint64_t deadline) {
  if (closed_ || lingering_) return;
  owner_.begin_turn();
  while (!input_ended_ && !session_->closing() && uv_hrtime() < deadline) {
    work_off_backlog();
    if (backlog_ || !receive()) break;
    flush();
  }
  work_off_backlog();
  flush();
}

// Reads once and handles it. False when there was nothing.
bool Connection::receive() {
  if (lingering_) return discard();
  return needs_own_buffer() ? receive_into_own() : receive_shared();
}

// recv() without waiting. 0: nothing there, or the end (input_ended_ says which).
long Connection::receive_some(char* to, std::size_t room) {
  while (true) {
    const ssize_t got = ::recv(fd_, to, room, MSG_DONTWAIT);
    if (got > 0) return got;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && may_pass(errno)) return 0;
    input_ended_ = true;
    if (got < 0) output_dead_ = true;
    return 0;
  }
}

bool Connection::discard() {
  const std::span<char> buffer = owner_.receive_buffer();
  return receive_some(buffer.data(), buffer.size()) > 0;
}

bool Connection::needs_own_buffer() const {
  return kept_.size() > kFrontBytes || kept_.size() + parser_.missing_bytes(kept_.size()) > kFrontBytes;
}

bool Connection::receive_shared() {
  const std::span<char> buffer = owner_.receive_buffer();
  const std::size_t front = kept_.size();
  if (front > 0) std::memcpy(buffer.data(), kept_.view().data(), front);
  const long got = receive_some(buffer.data() + front, buffer.size() - kFrontBytes);
  if (got == 0) return false;
  const std::size_t size = front + static_cast<std::size_t>(got);
  process({buffer.data(), size});
  keep_shared(buffer.data(), size);
  return true;
}

// Goes on with whole commands that waited for the output to drain.
void Connection::work_off_backlog() {
  while (backlog_ && !session_->output_full()) {
    process_kept();
    flush();
  }
}

// Puts what is incomplete aside until more comes.
void Connection::keep_shared(char* data, std::size_t size) {
  if (session_->closing()) {
    release_input();
    return;
  }
  std::size_t rest = parser_.compact(data, size);
  if (!charge_arguments()) return;
  if (rest == 0) {
    kept_.set_size(0);
    if (kept_.capacity() > Buffer::kFreeBytes) kept_.release();
    return;
  }
  if (kept_.assign(data, rest)) return;
  give_up_argument(data, rest);
  if (!kept_.assign(data, rest)) out_of_buffers();
}

// A large value: room grows with what has arrived, not with what was announced.
bool Connection::receive_into_own() {
  if (kept_.capacity() == kept_.size()) {
    const std::size_t missing = parser_.missing_bytes(kept_.size());
    const std::size_t step = std::max(kOwnStepBytes, std::min(missing, kept_.size()));
    if (!kept_.reserve(kept_.size() + step)) {
      std::size_t size = kept_.size();
      give_up_argument(kept_.data(), size);
      kept_.set_size(size);
      if (kept_.capacity() == size) out_of_buffers();
      kept_.shrink();
      return !input_ended_;
    }
  }
  const std::size_t room = std::min(kept_.capacity() - kept_.size(), kOwnReadBytes);
  const long got = receive_some(kept_.data() + kept_.size(), room);
  if (got == 0) return false;
  kept_.set_size(kept_.size() + static_cast<std::size_t>(got));
  process_kept();
  return true;
}

void Connection::process_kept() {
  process(kept_.view());
  if (session_->closing()) {
    release_input();
    return;
  }
  kept_.set_size(parser_.compact(kept_.data(), kept_.size()));
  if (!charge_arguments()) return;
  if (kept_.size() < kept_.capacity() / 4) kept_.shrink();
}

// There is no memory to keep the argument being read: it is passed over, and its record dropped.
void Connection::give_up_argument(char* data, std::size_t& size) {
  if (!parser_.inside_argument()) return;
  parser_.skip_argument();
  process({data, size});
  size = parser_.compact(data, size);
}

// An array of a million arguments is megabytes of list, whatever is in them: held against the ceiling.
bool Connection::charge_arguments() {
  std::size_t bytes = parser_.heap_bytes();
  if (bytes > Buffer::kFreeBytes && !parser_.inside_command()) {
    parser_.shrink();
    bytes = parser_.heap_bytes();
  }
  if (bytes <= Buffer::kFreeBytes) bytes = 0;
  if (bytes > charged_bytes_ && !account_.take(bytes - charged_bytes_)) {
    out_of_buffers();
    return false;
  }
  if (bytes < charged_bytes_) account_.give_back(charged_bytes_ - bytes);
  charged_bytes_ = bytes;
  return true;
}

// Nothing of what is incomplete will be wanted any more.
void Connection::release_input() {
  kept_.release();
  parser_ = RespParser();
  account_.give_back(std::exchange(charged_bytes_, 0));
}

void Connection::out_of_buffers() {
  session_->on_protocol_error("Protocol error: no memory left for incomplete commands");
  release_input();
}

// Hands over every complete command, stores them, and lets the session reply.
void Connection::process(std::string_view data) { backlog_ = !session_->feed(parser_, data); }

void Connection::flush() {
  while (!closed_) {
    const std::string_view bytes = session_->output();
    if (bytes.empty()) return;
    if (output_dead_) {
      session_->output_sent(bytes.size());
      continue;
    }
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) {
      session_->output_sent(static_cast<std::size_t>(sent));
    } else if (may_pass(errno)) {
      return;
    } else if (errno != EINTR) {
      output_dead_ = true;  // what it sent is read to the end all the same
    }
  }
}

void Connection::greet(Service service) {
  session_->on_service(service);
  turn(false);
}

void Connection::tell_service(Service service) {
  if (closed_ || lingering_ || session_->closing()) return;
  session_->on_service(service);
  flush();
  update_poll();
}

// What follows from the state: closing, lingering, or waiting for the next event.
void Connection::settle() {
  if (closed_) return;
  flush();
  const bool all_sent = session_->output().empty();
  if (input_ended_ && !backlog_ && all_sent) {
    close();
    return;
  }
  if (session_->closing() && all_sent && !lingering_) begin_linger();
  if ((input_ended_ || session_->closing()) && deadline_ms_ == 0) {
    deadline_ms_ = uv_now(poll_.loop) + kLastReplyMs;
    owner_.on_deadline();
  }
  update_poll();
}

void Connection::begin_linger() {
  lingering_ = true;
  backlog_ = false;
  release_input();
  ::shutdown(fd_, SHUT_WR);
  deadline_ms_ = uv_now(poll_.loop) + kLingerMs;
  owner_.on_deadline();
}

void Connection::update_poll() {
  if (closed_ || !started_) return;
  int wanted = 0;
  const bool held_back = backlog_ || (session_->closing() && !lingering_);
  if (!input_ended_ && !held_back) wanted |= UV_READABLE;
  if (!session_->output().empty()) wanted |= UV_WRITABLE;
  if (wanted == interest_) return;
  interest_ = wanted;
  if (wanted == 0) {
    uv_poll_stop(&poll_);
  } else if (uv_poll_start(&poll_, wanted, &Connection::on_poll) != 0) {
    close();
  }
}

}  // namespace mayfly::ingestd
