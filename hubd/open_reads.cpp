#include "hubd/open_reads.h"

#include <unordered_map>
#include <utility>
#include <vector>

#include "common/loop_timer.h"

namespace mayfly::hubd {

struct OpenReads::Registry {
  uv_loop_t* loop = nullptr;
  std::unordered_map<const Open*, std::weak_ptr<Open>> open;
};

namespace {

using RegistryPtr = std::shared_ptr<OpenReads::Registry>;

/// Calls back from the loop's next turn.
void call_later(uv_loop_t* loop, ResponseWriter::Callback callback) {
  const auto timer = std::make_shared<std::unique_ptr<LoopTimer>>();
  *timer = std::make_unique<LoopTimer>(loop, [timer, callback = std::move(callback)] {
    const std::unique_ptr<LoopTimer> own = std::move(*timer);
    callback();
  });
  (*timer)->start(std::chrono::milliseconds(0));
}

/// Both directions of a connection that a reader turned into something else than HTTP.
class GuardedStream final : public ByteStream,
                            public OpenReads::Open,
                            public std::enable_shared_from_this<GuardedStream> {
 public:
  GuardedStream(std::shared_ptr<ByteStream> inner, RegistryPtr registry)
      : inner_(std::move(inner)), registry_(std::move(registry)) {}
  ~GuardedStream() override { registry_->open.erase(this); }

  void start(OnData on_data, Callback on_closed) override {
    if (cut_) return call_later(registry_->loop, std::move(on_closed));
    closed_ = std::move(on_closed);
    inner_->start(std::move(on_data), [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->gone();
    });
  }
  void pause(bool paused) override { inner_->pause(paused); }
  void write(std::string_view data) override {
    if (!cut_) inner_->write(data);
  }
  std::size_t queued() const override { return inner_->queued(); }
  void close() override {
    closed_ = nullptr;
    registry_->open.erase(this);
    inner_->close();
  }

  void cut_off() override {
    cut_ = true;
    registry_->open.erase(this);
    inner_->close();
    gone();
  }

 private:
  void gone() {
    if (const Callback call = std::exchange(closed_, nullptr)) call();
  }

  std::shared_ptr<ByteStream> inner_;
  RegistryPtr registry_;
  Callback closed_;
  bool cut_ = false;
};

class GuardedResponse final : public ResponseWriter,
                              public OpenReads::Open,
                              public std::enable_shared_from_this<GuardedResponse> {
 public:
  GuardedResponse(ResponseWriterPtr inner, RegistryPtr registry, OpenReads::OnAnswer answered)
      : inner_(std::move(inner)), registry_(std::move(registry)), answered_(std::move(answered)) {}

  ~GuardedResponse() override {
    registry_->open.erase(this);
    // Without a head the real writer sends 500, unless the reader is gone.
    say(inner_->closed() ? 0 : 500);
  }

  void send(int status, const HttpHeaders& headers, std::string_view body) override {
    if (closed()) return;
    inner_->send(status, with_policy(headers), body);
    say(status);
    settle();
  }
  void begin(int status, const HttpHeaders& headers) override {
    if (closed()) return;
    inner_->begin(status, with_policy(headers));
    say(status);
    settle();
  }
  void write(std::string_view data) override { inner_->write(data); }
  void end() override {
    inner_->end();
    settle();
  }
  void abort() override {
    inner_->abort();
    settle();
  }
  std::size_t queued() const override { return inner_->queued(); }
  void on_drain(std::size_t below, Callback callback) override {
    inner_->on_drain(below, std::move(callback));
  }
  void on_closed(Callback callback) override {
    if (cut_) return call_later(registry_->loop, std::move(callback));
    closed_ = std::move(callback);
    inner_->on_closed([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->reader_gone();
    });
  }
  bool closed() const override { return inner_->closed(); }
  void set_open_ended() override { inner_->set_open_ended(); }

  std::shared_ptr<ByteStream> upgrade(const HttpHeaders& headers) override {
    std::shared_ptr<ByteStream> stream = inner_->upgrade(headers);
    if (!stream) return nullptr;
    say(101);
    settle();
    auto guarded = std::make_shared<GuardedStream>(std::move(stream), registry_);
    guarded->claim = claim;
    registry_->open.emplace(guarded.get(), guarded);
    return guarded;
  }

  void cut_off() override {
    if (closed()) return;
    cut_ = true;
    inner_->abort();
    registry_->open.erase(this);
    reader_gone();
  }

 private:
  static HttpHeaders with_policy(HttpHeaders headers) {
    headers.emplace_back("Cross-Origin-Resource-Policy", "same-origin");
    return headers;
  }
  void say(int status) {
    if (const OpenReads::OnAnswer answered = std::exchange(answered_, nullptr)) answered(status);
  }
  /// A complete answer keeps nobody's callback, which might keep the answer.
  void settle() {
    if (!closed()) return;
    closed_ = nullptr;
    registry_->open.erase(this);
  }
  void reader_gone() {
    if (const Callback call = std::exchange(closed_, nullptr)) call();
  }

  ResponseWriterPtr inner_;
  RegistryPtr registry_;
  OpenReads::OnAnswer answered_;
  Callback closed_;
  bool cut_ = false;
};

}  // namespace

bool still_covered(const Claim& claim, const ReaderPtr& now) {
  if (!now) return false;
  if (claim.server.empty()) return keeps_rights(*now, *claim.reader);
  const Scope scope = scope_for(*now, claim.server);
  if (!claim.directory.empty()) return scope.covers(claim.directory);
  return contains(scope, scope_for(*claim.reader, claim.server));
}

OpenReads::OpenReads(uv_loop_t* loop) : registry_(std::make_shared<Registry>()) { registry_->loop = loop; }

ResponseWriterPtr OpenReads::guard(ResponseWriterPtr response, Claim claim, OnAnswer answered) {
  auto guarded = std::make_shared<GuardedResponse>(std::move(response), registry_, std::move(answered));
  guarded->claim = std::move(claim);
  registry_->open.emplace(guarded.get(), guarded);
  return guarded;
}

std::size_t OpenReads::cut_off(const std::function<bool(const Claim&)>& allowed) {
  // Cutting one off calls its handler, which may end others.
  std::vector<std::shared_ptr<Open>> lost;
  for (const auto& [key, weak] : registry_->open) {
    const std::shared_ptr<Open> open = weak.lock();
    if (open && !allowed(open->claim)) lost.push_back(open);
  }
  for (const std::shared_ptr<Open>& open : lost) open->cut_off();
  return lost.size();
}

std::size_t OpenReads::size() const { return registry_->open.size(); }

}  // namespace mayfly::hubd
