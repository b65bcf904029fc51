#include "common/loki_tail_output.h"

#include <utility>

#include "common/loki_answer.h"
#include "common/web_socket.h"

namespace mayfly::loki {
namespace {

constexpr unsigned kGoingAway = 1001;

class SocketOutput : public TailOutput {
 public:
  explicit SocketOutput(std::shared_ptr<WebSocket> socket) : socket_(std::move(socket)) {}
  void send(std::string_view frame) override { socket_->send_text(frame); }
  std::size_t queued() const override { return socket_->queued(); }
  void on_closed(std::function<void()> callback) override {
    // What a reader of logs says is of no interest.
    socket_->start([](std::string_view) {}, std::move(callback));
  }
  void keep_alive() override {}
  void close(std::string_view reason) override { socket_->close(kGoingAway, reason); }

 private:
  std::shared_ptr<WebSocket> socket_;
};

class LineOutput : public TailOutput {
 public:
  explicit LineOutput(ResponseWriterPtr response) : response_(std::move(response)) {}
  void send(std::string_view frame) override {
    response_->write(frame);
    response_->write("\n");
  }
  std::size_t queued() const override { return response_->queued(); }
  void on_closed(std::function<void()> callback) override { response_->on_closed(std::move(callback)); }
  void keep_alive() override { response_->write("\n"); }
  void close(std::string_view) override { response_->end(); }

 private:
  ResponseWriterPtr response_;
};

}  // namespace

std::unique_ptr<TailOutput> open_tail_output(const HttpRequest& request, const ResponseWriterPtr& response) {
  const bool upgrades = request.header("upgrade") != nullptr;
  if (!upgrades && accepts_explicitly(request.header("accept"), "application/x-ndjson")) {
    HttpHeaders headers = answer_headers("application/x-ndjson");
    headers.emplace_back("X-Accel-Buffering", "no");
    response->set_open_ended();
    response->begin(200, headers);
    if (response->closed()) return nullptr;
    return std::make_unique<LineOutput>(response);
  }
  auto socket = WebSocket::accept(request, *response);
  if (socket == nullptr) return nullptr;
  return std::make_unique<SocketOutput>(std::move(socket));
}

}  // namespace mayfly::loki
