// Sends prepared records to a server, as fast as one core can, and says what that cost whom. One line of
// JSON on standard output. All servers are measured by this program (bench/peers/main.py runs it).
#include <sched.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "bench/peers/completion.h"
#include "bench/peers/cpu_account.h"
#include "bench/peers/wire.h"
#include "bench/peers/workload.h"
#include "bench/scratch.h"
#include "bench/timing.h"

namespace {

using namespace mayfly::bench;  // NOLINT(google-build-using-namespace): a program of one file

constexpr std::uint64_t kCompletionPatienceNs = 60'000'000'000;

struct Plan {
  std::string format = "log";
  std::vector<int> ports;  // connections go to them in turn
  std::uint32_t connections = 1;
  std::uint32_t directories = 0;  // connections write to so many in turn, b0000 ...; 0: to the format's own
  std::uint64_t laps = 100;       // of each connection
  std::uint64_t warm_up = 1;      // laps before the clock starts
  std::size_t batch = 64 << 10;
  bool single = false;  // one write() a record
  std::string congestion;
  std::string await;
  std::string last_values;  // file
  std::vector<pid_t> servers;
  int core = -1;
};

/// A connection and how far it is.
struct Stream {
  Stream(int port, const std::string& congestion, const Workload& work)
      : wire(port, congestion), workload(work) {}
  Wire wire;
  const Workload& workload;
  std::uint64_t place = 0;
  bool writable = true;
};

class Sender {
 public:
  Sender(const Plan& plan, const Format& format, const std::vector<Workload>& workloads)
      : plan_(plan), format_(format), workloads_(workloads), poll_(epoll_create1(EPOLL_CLOEXEC)) {
    if (!plan.await.empty()) completion_ = make_completion(plan.await);
    for (std::uint32_t i = 0; i < plan.connections; ++i)
      add_stream(plan.ports[i % plan.ports.size()], workloads[i % workloads.size()]);
  }
  ~Sender() { close(poll_); }
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;

  /// Sends `laps` on each connection; returns when the server has taken them all.
  void send(std::uint64_t laps) {
    const auto before = completion_ ? completion_->count() : 0;
    for (auto& stream : streams_) {
      stream->wire.send(format_.begin);
      barrier_bytes_ += format_.barrier.size();
      stream->place = 0;
    }
    send_streams(laps);
    for (auto& stream : streams_) stream->wire.send(format_.barrier);
    for (auto& stream : streams_) {
      if (!format_.barrier_end.empty()) stream->wire.await(format_.barrier_end);
    }
    if (completion_)
      await_completion(before + records(laps) * completion_->per_record(workloads_.front().record_bytes()));
  }

  std::uint64_t records(std::uint64_t laps) const { return laps * kKeys * streams_.size(); }
  std::uint64_t waited_ns() const { return waited_ns_; }
  std::uint64_t barrier_bytes() const { return barrier_bytes_; }

 private:
  void add_stream(int port, const Workload& workload) {
    auto& stream = *streams_.emplace_back(std::make_unique<Stream>(port, plan_.congestion, workload));
    if (!format_.greeting_end.empty()) stream.wire.await(format_.greeting_end);
    stream.wire.send(format_.hello);
    if (!format_.hello_end.empty()) stream.wire.await(format_.hello_end);
    epoll_event event{};
    event.events = EPOLLOUT | EPOLLET;
    event.data.ptr = &stream;
    epoll_ctl(poll_, EPOLL_CTL_ADD, stream.wire.fd(), &event);
  }

  void send_streams(std::uint64_t laps) {
    const auto end = workloads_.front().stream_bytes(laps);
    const std::size_t most = plan_.single ? workloads_.front().record_bytes() : plan_.batch;
    for (bool open = true; open;) {
      open = false;
      bool sent = false;
      for (auto& stream : streams_) {
        if (stream->place == end) continue;
        open = true;
        if (!stream->writable) continue;
        const auto left = plan_.single ? most - stream->place % most : most;
        const auto piece = stream->workload.piece(stream->place, laps, left);
        const auto n = stream->wire.send_some(piece);
        stream->place += n;
        sent |= n > 0;
        // A short write says that the socket is full; the next event, that it is not any more.
        stream->writable = n == piece.size();
      }
      if (open && !sent) await_room();
    }
  }

  void await_room() {
    epoll_event events[64];
    const auto begin = mono_ns();
    const int count = epoll_wait(poll_, events, 64, 1000);
    waited_ns_ += mono_ns() - begin;
    for (int i = 0; i < count; ++i) static_cast<Stream*>(events[i].data.ptr)->writable = true;
    if (count > 0) return;
    for (auto& stream : streams_) stream->writable = true;
  }

  void await_completion(std::uint64_t target) {
    const auto until = mono_ns() + kCompletionPatienceNs;
    while (completion_->count() < target) {
      if (mono_ns() > until) give_up("the server has not taken all records within a minute");
      usleep(completion_->pause_us());
    }
  }

  const Plan& plan_;
  const Format& format_;
  const std::vector<Workload>& workloads_;
  const int poll_;
  std::unique_ptr<Completion> completion_;
  std::vector<std::unique_ptr<Stream>> streams_;
  std::uint64_t waited_ns_ = 0;
  std::uint64_t barrier_bytes_ = 0;  // of all barriers sent
};

void pin_to(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(core), &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) give_up("cannot run on core " + std::to_string(core));
}

std::string directory_name(std::uint32_t index) {
  char text[8];
  std::snprintf(text, sizeof text, "b%04u", index % 10'000);
  return text;
}

void measure(const Plan& plan) {
  const Format* format = find_format(plan.format);
  if (format == nullptr) give_up("no format " + plan.format);
  if (plan.core >= 0) pin_to(plan.core);
  std::vector<Workload> workloads;
  for (std::uint32_t i = 0; i < plan.directories; ++i) workloads.emplace_back(*format, directory_name(i));
  if (workloads.empty()) workloads.emplace_back(*format);
  if (!plan.last_values.empty()) std::ofstream(plan.last_values) << workloads.front().last_values();
  Sender sender(plan, *format, workloads);
  if (plan.warm_up > 0) sender.send(plan.warm_up);
  const auto waited_before = sender.waited_ns();
  const CpuAccount account(plan.servers);
  const auto begin = mono_ns();
  sender.send(plan.laps);
  const auto took = mono_ns() - begin;
  const auto use = account.use();
  const nlohmann::ordered_json json = {{"records", sender.records(plan.laps)},
                                       {"warm_up_records", sender.records(plan.warm_up)},
                                       {"bytes_per_record", workloads.front().record_bytes()},
                                       {"barrier_bytes", sender.barrier_bytes()},
                                       {"ns", took},
                                       {"waited_ns", sender.waited_ns() - waited_before},
                                       {"server_cpu_ns", use.server},
                                       {"sender_cpu_ns", use.self},
                                       {"other_cpu_ns", use.others},
                                       {"unexplained_cpu_ns", use.unexplained},
                                       {"stolen_cpu_ns", use.stolen}};
  std::puts(json.dump().c_str());
}

}  // namespace

int main(int argc, char** argv) {
  Plan plan;
  CLI::App app("sends prepared records and says what that cost whom");
  app.add_option("--format", plan.format);
  app.add_option("--port", plan.ports)->required();
  app.add_option("--connections", plan.connections)->check(CLI::Range(1u, 1024u));
  app.add_option("--directories", plan.directories)->check(CLI::Range(1u, 1000u));
  app.add_option("--laps", plan.laps, "of 1,024 records, on each connection")->check(CLI::PositiveNumber);
  app.add_option("--warm-up", plan.warm_up);
  app.add_option("--batch", plan.batch)->check(CLI::PositiveNumber);
  app.add_flag("--single", plan.single, "one write a record");
  app.add_option("--congestion", plan.congestion);
  app.add_option("--await", plan.await);
  app.add_option("--last-values", plan.last_values);
  app.add_option("--server", plan.servers, "process ids");
  app.add_option("--core", plan.core);
  CLI11_PARSE(app, argc, argv);
  try {
    measure(plan);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "peer_sender: %s\n", error.what());
    return 1;
  }
  return 0;
}
