#include "tests/fuzz/session_rig.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>
#include <xxhash.h>

#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <memory>

#include "ingestd/connection.h"
#include "ingestd/native_session.h"
#include "ingestd/redis_session.h"
#include "shm/engine.h"
#include "shm/reader.h"
#include "shm/verify.h"
#include "tests/fuzz/target.h"

namespace mayfly::fuzz {
namespace {

using ingestd::Protocol;
using shm::Kind;

constexpr std::size_t kReadBytes = 128 << 10;
constexpr std::size_t kMaxPieces = 48;
constexpr int kMaxTurns = 4000;
// Stored before the client comes. No reply may ever hold it.
constexpr std::string_view kStoredBefore = "7f3aQd-what-others-wrote-Zk81x";

class StoppedClocks final : public shm::Clocks {
 public:
  std::uint64_t wall_ns() const override { return 1'700'000'000'000'000'000; }
  std::uint64_t boot_ns() const override { return 1'000'000'000'000; }
  std::uint64_t mono_ns() const override { return 500'000'000'000; }
};
const StoppedClocks kStoppedClocks;

/// A file in memory that becomes the same small, empty segment again for each session. ingestd makes
/// larger ones, with random numbers in them.
class FreshSegment {
 public:
  FreshSegment() : folder_("/dev/shm/mayfly-fuzz-XXXXXX") {
    require(::mkdtemp(folder_.data()) != nullptr, "a directory in /dev/shm");
    shm::GeometryRequest request;
    request.bytes = 384 << 10;
    request.page_bytes = 1024;
    request.worker_areas = 2;
    request.undo_pairs = 512;
    request.slots = 16;
    const shm::Geometry geometry = shm::plan_geometry(request).value();
    words_.resize(geometry.total_bytes / 8);
    shm::format_segment(words_.data(), geometry, 77, kStoppedClocks.wall_ns());
    auto& constants = *reinterpret_cast<shm::HeaderConstants*>(words_.data());
    constants.hash_seed = 4711;
    constants.checksum = XXH3_64bits(&constants, offsetof(shm::HeaderConstants, checksum));
  }
  ~FreshSegment() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  std::string file() const { return folder_ + "/data"; }
  void make() const {
    const int fd = ::open(file().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
    const auto bytes = static_cast<ssize_t>(words_.size() * 8);
    require(fd >= 0 && ::pwrite(fd, words_.data(), words_.size() * 8, 0) == bytes, "a segment's bytes");
    ::close(fd);
  }

 private:
  std::string folder_;
  std::vector<shm::Word> words_;
};

shm::Rule rule(Kind kind, bool pattern, const char* name, std::uint64_t total, std::uint64_t value) {
  shm::Rule made;
  made.kind = kind;
  made.pattern = pattern;
  made.name = name;
  made.max_directories = 2;
  made.quotas.max_keys = 5;
  made.quotas.max_key_bytes = 12;
  made.quotas.max_value_bytes = value;
  made.quotas.max_total_bytes = made.quotas.max_bytes_per_key = total;
  made.quotas.max_events_per_key = 4;
  made.birth = 1;
  return made;
}

shm::Rules rules() {
  shm::Rules made;
  made.version = "1";
  made.rules = {rule(Kind::log, false, "l", 300, 100), rule(Kind::status, false, "s", 300, 100),
                rule(Kind::log, false, "big", 80'000, 50'000), rule(Kind::status, true, "p*", 100, 40),
                rule(Kind::log, true, "q*", 100, 40)};
  made.rules[1].quotas.drop_when_keys_full = true;
  made.rules[2].quotas.max_bytes_per_key = 60'000;
  return made;
}

/// The server's side of one session.
class Service final : public ingestd::ConnectionOwner {
 public:
  Service(Protocol protocol, const std::string& file, std::uint64_t max_buffered)
      : account_(max_buffered), buffer_(ingestd::Connection::kFrontBytes + kReadBytes) {
    shm::WriterOptions options;
    options.path = file;
    options.clocks = &kStoppedClocks;
    auto opened = shm::Writer::open(options);
    require(opened.ok() && !opened.value()->report().created, "a segment");
    writer_ = std::move(opened.value());
    writer_->on_corruption([](const std::string& text) { require(false, text.c_str()); });
    registry_ = std::make_unique<ingestd::Registry>(*writer_);
    shm::Worker worker = writer_->worker(0);
    registry_->apply(worker, 1, rules(), now());
    service_.set(ingestd::Service::go);
    batch_ =
        std::make_unique<ingestd::Batch>(*writer_, worker, *registry_, service_, control_, kStoppedClocks);
    context_ = std::make_unique<ingestd::SessionContext>(
        ingestd::SessionContext{*batch_, service_, kStoppedClocks, {}});
    redis_ = std::make_unique<ingestd::RedisContext>(ingestd::RedisContext{*context_, account_, {}, {}});
    store_before();
    start(protocol);
  }
  ~Service() override {
    if (!connection_->closed()) connection_->close();
    while (uv_run(&loop_, UV_RUN_NOWAIT) != 0) {
    }
    uv_loop_close(&loop_);
    if (client_ >= 0) ::close(client_);
  }
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  std::span<char> receive_buffer() override { return buffer_; }
  void begin_turn() override { batch_->new_turn(); }
  void on_closed(ingestd::Connection&) override {}
  void on_deadline() override {}

  int client() const { return client_; }
  void turn() { uv_run(&loop_, UV_RUN_NOWAIT); }
  bool ended() const { return connection_->closed(); }
  std::uint64_t buffered() const { return account_.used(); }
  void hang_up() {
    ::close(client_);
    client_ = -1;
  }

 private:
  static shm::Now now() { return {kStoppedClocks.wall_ns(), kStoppedClocks.boot_ns()}; }

  void store_before() {
    for (const Kind kind : {Kind::log, Kind::status}) {
      const auto id =
          registry_->resolve(batch_->worker(), kind, kind == Kind::log ? "l" : "s", now(), true).id;
      require(batch_->worker().begin(id, now()), "a directory");
      batch_->worker().append("k", kStoredBefore);
      batch_->worker().commit();
    }
  }
  void start(Protocol protocol) {
    int ends[2];
    require(uv_loop_init(&loop_) == 0, "a loop");
    require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0, "a socket pair");
    client_ = ends[0];
    std::unique_ptr<ingestd::Session> session;
    if (protocol == Protocol::native) {
      session = std::make_unique<ingestd::NativeSession>(*context_);
    } else {
      session = std::make_unique<ingestd::RedisSession>(*redis_, 7);
    }
    connection_ = std::make_unique<ingestd::Connection>(*this, account_, ends[1], std::move(session));
    require(connection_->start(&loop_), "a connection");
    connection_->greet(ingestd::Service::go);
  }

  ingestd::BufferAccount account_;
  std::vector<char> buffer_;
  std::unique_ptr<shm::Writer> writer_;
  std::unique_ptr<ingestd::Registry> registry_;
  ingestd::ServiceState service_;
  ingestd::ControlHandle control_;
  std::unique_ptr<ingestd::Batch> batch_;
  std::unique_ptr<ingestd::SessionContext> context_;
  std::unique_ptr<ingestd::RedisContext> redis_;
  uv_loop_t loop_{};
  std::unique_ptr<ingestd::Connection> connection_;
  int client_ = -1;
};

/// Takes what is there to be read. False at the end.
bool take_replies(int fd, std::string& replies) {
  char chunk[16384];
  ssize_t got = 0;
  while ((got = ::recv(fd, chunk, sizeof chunk, MSG_DONTWAIT)) > 0) {
    replies.append(chunk, static_cast<std::size_t>(got));
  }
  return got < 0;
}

void converse(Service& service, std::string_view bytes, const SessionManner& manner, std::string& replies) {
  const std::size_t piece = std::max(manner.piece_bytes, bytes.size() / kMaxPieces + 1);
  int turns = 0;
  while (!bytes.empty() && !service.ended() && turns++ < kMaxTurns) {
    const ssize_t sent =
        ::send(service.client(), bytes.data(), std::min(piece, bytes.size()), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) break;  // the server has hung up
    if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
    service.turn();
    require(service.buffered() <= manner.max_buffered, "buffers stay below their ceiling");
    if (manner.reads) take_replies(service.client(), replies);
  }
  if (manner.vanishes) {
    service.hang_up();
  } else {
    ::shutdown(service.client(), SHUT_WR);
  }
  for (turns = 0; !service.ended() && turns < kMaxTurns; ++turns) {
    service.turn();
    if (!manner.vanishes) take_replies(service.client(), replies);
  }
  require(service.ended(), "a session ends with its client");
  if (!manner.vanishes) take_replies(service.client(), replies);
}

template <class Counts>
std::uint64_t add_to(std::string& text, const Counts& counts) {
  std::uint64_t sum = 0;
  for (const std::uint64_t count : counts) {
    text += " " + std::to_string(count);
    sum += count;
  }
  return sum;
}

void read_back(const std::string& file, SessionOutcome& outcome) {
  auto opened = shm::Reader::open(file, &kStoppedClocks);
  require(opened.ok(), "a segment that can be read");
  shm::Reader& reader = opened.value();
  outcome.unattributed = reader.info().unattributed;
  for (const shm::DirectoryInfo& directory : reader.directories()) {
    const std::string name = std::string(shm::kind_name(directory.kind)) + " " + directory.name;
    const shm::Reader::Snapshot snapshot = reader.snapshot(directory);
    require(snapshot.found && !snapshot.partial, "a directory at rest is read whole");
    for (const shm::RecordView& record : snapshot.records) {
      outcome.records.push_back(name + " " + std::to_string(record.seq) + " " + std::string(record.key) +
                                "=" + std::string(record.value));
    }
    std::string totals =
        name + " " + std::to_string(directory.stored) + " " + std::to_string(directory.replaced);
    const std::uint64_t evicted = add_to(totals, directory.evicted);
    add_to(totals, directory.dropped);
    outcome.totals.push_back(totals);
    require(snapshot.records.size() == directory.records, "as many records as are counted");
    require(directory.stored == directory.records + directory.replaced + evicted,
            "stored = records + replaced + evicted");
  }
  const auto verified = shm::verify_file(file);
  require(verified.ok() && verified.value().ok, "the segment verifies");
}

}  // namespace

SessionOutcome serve_session(Protocol protocol, std::string_view bytes, const SessionManner& manner) {
  static const FreshSegment segment;
  segment.make();
  SessionOutcome outcome;
  {
    Service service(protocol, segment.file(), manner.max_buffered);
    converse(service, bytes, manner, outcome.replies);
  }
  read_back(segment.file(), outcome);
  if (bytes.find(kStoredBefore) == std::string_view::npos) {
    require(outcome.replies.find(kStoredBefore) == std::string::npos, "no reply holds what is stored");
  }
  return outcome;
}

void require_replies(std::string_view replies, bool torn) {
  std::uint64_t items = 0;  // of arrays that are not complete
  while (!replies.empty() || (items > 0 && !torn)) {
    const std::size_t end = replies.find("\r\n");
    if (end == std::string_view::npos) return require(torn, "a reply's line has an end");
    const char type = replies[0];
    const std::string_view rest = replies.substr(1, end - 1);
    replies.remove_prefix(end + 2);
    require(std::string_view("+-:$*%").find(type) != std::string_view::npos, "a reply of a known type");
    if (items > 0) --items;
    if (type == '+' || type == '-') continue;
    char* stop = nullptr;
    const std::string number(rest);
    const long long value = std::strtoll(number.c_str(), &stop, 10);
    require(!number.empty() && *stop == '\0', "a reply's number");
    if (type == '*') items += static_cast<std::uint64_t>(std::max(0ll, value));
    if (type == '%') items += 2 * static_cast<std::uint64_t>(std::max(0ll, value));
    if (type != '$' || value < 0) continue;
    const auto size = static_cast<std::size_t>(value);
    if (replies.size() < size + 2) return require(torn, "a whole bulk string");
    require(replies.substr(size, 2) == "\r\n", "a bulk string's end");
    replies.remove_prefix(size + 2);
  }
}

void fuzz_session(Protocol protocol, std::string_view input) {
  Input choices(input);
  const std::uint8_t how = choices.byte();
  const std::size_t piece = 1 + choices.byte();
  const std::string_view bytes = choices.rest();
  SessionManner manner;
  manner.reads = (how & 1) == 0;
  manner.vanishes = (how & 2) != 0;
  if ((how & 4) != 0) manner.max_buffered = 2000;
  const SessionOutcome whole = serve_session(protocol, bytes, manner);
  require_replies(whole.replies, manner.vanishes);
  if ((how & 8) == 0 || (how & 4) != 0) return;
  manner.piece_bytes = piece;
  const SessionOutcome cut = serve_session(protocol, bytes, manner);
  require_replies(cut.replies, manner.vanishes);
  require(cut.records == whole.records, "the same records however the bytes are cut");
  require(cut.totals == whole.totals && cut.unattributed == whole.unattributed,
          "the same counts however the bytes are cut");
  const bool all_read = manner.reads && !manner.vanishes;
  if (protocol == Protocol::redis && all_read)
    require(cut.replies == whole.replies, "the same replies however the bytes are cut");
}

}  // namespace mayfly::fuzz
