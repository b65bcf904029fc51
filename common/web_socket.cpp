#include "common/web_socket.h"

#include <wslay/wslay.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/web_socket_handshake.h"

namespace mayfly {
namespace {

constexpr std::size_t kMaxFragments = 1024;          // of one message
constexpr std::size_t kMaxUnreadAnswers = 64 << 10;  // bytes of pongs that the peer does not take
constexpr std::size_t kPongBytes = 2;                // the head of one
constexpr std::size_t kMaxReason = 123;

class WslaySocket final : public WebSocket, public std::enable_shared_from_this<WslaySocket> {
 public:
  explicit WslaySocket(std::shared_ptr<ByteStream> stream) : stream_(std::move(stream)) {}
  ~WslaySocket() override {
    if (context_ != nullptr) WslaySocket::close(WSLAY_CODE_GOING_AWAY, {});
    wslay_event_context_free(context_);
  }
  WslaySocket(const WslaySocket&) = delete;
  WslaySocket& operator=(const WslaySocket&) = delete;

  /// False: out of memory.
  bool init();
  void start(OnText on_text, Callback on_closed) override;
  void send_text(std::string_view text) override;
  std::size_t queued() const override { return stream_ ? stream_->queued() : 0; }
  void close(unsigned code, std::string_view reason) override;

 private:
  static WslaySocket* self(void* user) { return static_cast<WslaySocket*>(user); }
  static ssize_t on_recv(wslay_event_context_ptr context, uint8_t* out, std::size_t size, int, void* user);
  static ssize_t on_send(wslay_event_context_ptr, const uint8_t* data, std::size_t size, int, void* user);
  static void on_frame(wslay_event_context_ptr, const wslay_event_on_frame_recv_start_arg* frame, void* user);
  static void on_message(wslay_event_context_ptr, const wslay_event_on_msg_recv_arg* message, void* user);

  void received(std::string_view data);
  void count_answers(std::size_t payload);
  void fail(std::uint16_t code);
  void flush();
  void end();
  void silent();

  std::shared_ptr<ByteStream> stream_;  // null: closed
  wslay_event_context_ptr context_ = nullptr;
  OnText on_text_;
  Callback on_closed_;
  std::string_view input_;  // within received()
  std::string output_;      // within flush()
  std::size_t fragments_ = 0;
  std::size_t unread_answers_ = 0;
  bool asked_ = false;  // a ping is out, and nothing has come since
};

bool WslaySocket::init() {
  wslay_event_callbacks callbacks{};
  callbacks.recv_callback = on_recv;
  callbacks.send_callback = on_send;
  callbacks.on_frame_recv_start_callback = on_frame;
  callbacks.on_msg_recv_callback = on_message;
  if (wslay_event_context_server_init(&context_, &callbacks, this) != 0) return false;
  wslay_event_config_set_max_recv_msg_length(context_, kMaxMessageBytes);
  return true;
}

ssize_t WslaySocket::on_recv(wslay_event_context_ptr context, uint8_t* out, std::size_t size, int,
                             void* user) {
  std::string_view& input = self(user)->input_;
  if (input.empty()) {
    wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
    return -1;
  }
  const std::size_t count = std::min(size, input.size());
  std::memcpy(out, input.data(), count);
  input.remove_prefix(count);
  return static_cast<ssize_t>(count);
}

ssize_t WslaySocket::on_send(wslay_event_context_ptr, const uint8_t* data, std::size_t size, int,
                             void* user) {
  self(user)->output_.append(reinterpret_cast<const char*>(data), size);
  return static_cast<ssize_t>(size);
}

void WslaySocket::on_frame(wslay_event_context_ptr, const wslay_event_on_frame_recv_start_arg* frame,
                           void* user) {
  WslaySocket* socket = self(user);
  if (frame->opcode == WSLAY_BINARY_FRAME) return socket->fail(WSLAY_CODE_UNSUPPORTED_DATA);
  if (frame->opcode == WSLAY_TEXT_FRAME) socket->fragments_ = 0;
  if (wslay_is_ctrl_frame(frame->opcode)) return;
  if (++socket->fragments_ > kMaxFragments) socket->fail(WSLAY_CODE_POLICY_VIOLATION);
}

void WslaySocket::on_message(wslay_event_context_ptr context, const wslay_event_on_msg_recv_arg* message,
                             void* user) {
  WslaySocket* socket = self(user);
  if (message->opcode == WSLAY_PING) return socket->count_answers(message->msg_length);
  if (message->opcode != WSLAY_TEXT_FRAME || wslay_event_get_read_enabled(context) == 0) return;
  const OnText call = socket->on_text_;
  if (call) call({reinterpret_cast<const char*>(message->msg), message->msg_length});
}

void WslaySocket::count_answers(std::size_t payload) {
  if (!stream_) return;
  if (stream_->queued() == 0) unread_answers_ = 0;
  unread_answers_ += payload + kPongBytes;
  if (unread_answers_ > kMaxUnreadAnswers) fail(WSLAY_CODE_POLICY_VIOLATION);
}

/// No more is read; the close frame leaves with the next flush().
void WslaySocket::fail(std::uint16_t code) {
  wslay_event_queue_close(context_, code, nullptr, 0);
  wslay_event_shutdown_read(context_);
}

void WslaySocket::start(OnText on_text, Callback on_closed) {
  if (!stream_ || on_text_) return;
  on_text_ = std::move(on_text);
  on_closed_ = std::move(on_closed);
  const std::weak_ptr<WslaySocket> weak = weak_from_this();
  stream_->start(
      [weak](std::string_view data) {
        if (const auto socket = weak.lock()) socket->received(data);
      },
      [weak] {
        if (const auto socket = weak.lock()) socket->end();
      });
  stream_->on_silence([weak] {
    if (const auto socket = weak.lock()) socket->silent();
  });
}

/// A peer that has nothing to say answers a ping. One that does not is not there any more, or reads nothing.
void WslaySocket::silent() {
  if (!stream_) return;
  if (asked_) {
    fail(WSLAY_CODE_GOING_AWAY);
    flush();
    return end();
  }
  asked_ = true;
  const wslay_event_msg ping{WSLAY_PING, nullptr, 0};
  wslay_event_queue_msg(context_, &ping);
  flush();
}

void WslaySocket::received(std::string_view data) {
  input_ = data;
  asked_ = false;
  const int result = wslay_event_recv(context_);
  input_ = {};
  if (!stream_) return;  // closed by a callback
  flush();
  if (result != 0 || wslay_event_get_read_enabled(context_) == 0) end();
}

void WslaySocket::flush() {
  if (!stream_ || wslay_event_want_write(context_) == 0) return;
  wslay_event_send(context_);
  if (!output_.empty()) stream_->write(std::exchange(output_, {}));
}

void WslaySocket::send_text(std::string_view text) {
  if (!stream_) return;
  const wslay_event_msg message{WSLAY_TEXT_FRAME, reinterpret_cast<const uint8_t*>(text.data()), text.size()};
  wslay_event_queue_msg(context_, &message);
  flush();
}

void WslaySocket::close(unsigned code, std::string_view reason) {
  if (!stream_) return;
  on_closed_ = nullptr;
  wslay_event_queue_close(context_, static_cast<std::uint16_t>(code),
                          reinterpret_cast<const uint8_t*>(reason.data()),
                          std::min(reason.size(), kMaxReason));
  flush();
  end();
}

void WslaySocket::end() {
  const auto stream = std::exchange(stream_, nullptr);
  if (!stream) return;
  wslay_event_shutdown_read(context_);
  stream->close();
  if (const Callback call = std::exchange(on_closed_, nullptr)) call();
}

}  // namespace

std::shared_ptr<WebSocket> WebSocket::accept(const HttpRequest& request, ResponseWriter& response) {
  const HandshakeVerdict verdict = judge_handshake(request);
  if (verdict.status != 101) {
    HttpHeaders more;
    if (verdict.status == 426) more = {{"Upgrade", "websocket"}, {"Sec-WebSocket-Version", "13"}};
    send_problem(response, verdict.status, verdict.code, verdict.detail, std::move(more));
    return nullptr;
  }
  auto stream = response.upgrade({{"Upgrade", "websocket"}, {"Sec-WebSocket-Accept", verdict.accept}});
  if (!stream) {
    send_problem(response, 400, "no_upgrade", "this connection cannot become a WebSocket");
    return nullptr;
  }
  auto socket = std::make_shared<WslaySocket>(std::move(stream));
  return socket->init() ? socket : nullptr;
}

}  // namespace mayfly
