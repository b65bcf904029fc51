// One client's socket: bytes in, through a parser, to a session; replies out.
//
// It reads its socket itself, on a uv_poll_t, and does not use uv_stream_t, for three reasons:
// - a stream whose write failed (the client vanished) stops reading, while here everything readable
//   must be read before the other direction's error counts;
// - streams read into a buffer per connection, while here all connections of a worker share one and
//   only what is incomplete is kept;
// - a value of megabytes is received straight into its place.
//
// Belongs to its worker's thread.
#pragma once

#include <uv.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "common/peer_source.h"
#include "common/resp_parser.h"
#include "ingestd/buffer.h"
#include "ingestd/session.h"

namespace mayfly::ingestd {

class Connection;

/// The worker, as its connections see it.
class ConnectionOwner {
 public:
  virtual ~ConnectionOwner() = default;
  /// Memory to receive into, free between two turns. At least kFrontBytes + one read.
  virtual std::span<char> receive_buffer() = 0;
  /// The connection is about to be read: the clocks are read anew.
  virtual void begin_turn() = 0;
  /// The connection's handle is closed: delete it.
  virtual void on_closed(Connection& connection) = 0;
  /// The connection has a deadline now.
  virtual void on_deadline() = 0;
};

class Connection {
 public:
  /// What a connection has kept of an incomplete command is put before the next bytes in the
  /// worker's buffer, up to here; beyond, it is received into memory of its own.
  static constexpr std::size_t kFrontBytes = 64 << 10;

  /// Takes `fd` over.
  Connection(ConnectionOwner& owner, BufferAccount& account, int fd, std::unique_ptr<Session> session);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Where the owner keeps it.
  std::size_t place = 0;
  /// Whom the owner counts it under; nothing: not any more.
  std::optional<PeerSource> source;

  /// Starts on the loop. False when the loop refuses: the socket is closed, on_closed() does not come.
  bool start(uv_loop_t* loop);
  /// Puts the service's state at the head of the output, reads what is there at once, and only
  /// then writes: a client that has sent and gone is read before it can be found gone.
  void greet(Service service);
  /// Reads until nothing is readable, or until `deadline` (uv_hrtime) has passed.
  void drain(std::uint64_t deadline);
  /// Tells the client about the service.
  void tell_service(Service service);
  /// Gives up at once; on_closed() follows.
  void close();

  bool proven() const { return session_->proven(); }
  bool closed() const { return closed_; }
  /// When it is to be closed whatever happens (uv_now); 0: never, or not yet.
  std::uint64_t deadline_ms() const { return deadline_ms_; }
  std::uint64_t accepted_ms() const { return accepted_ms_; }

 private:
  static void on_poll(uv_poll_t* handle, int status, int events);
  // Reads once (or, with `to_end`, all there is), handles it, writes what came of it.
  void turn(bool to_end);
  bool receive();
  bool receive_into_own();
  bool receive_shared();
  bool discard();
  long receive_some(char* to, std::size_t room);
  bool needs_own_buffer() const;
  void process(std::string_view data);
  void process_kept();
  void work_off_backlog();
  void keep_shared(char* data, std::size_t size);
  void give_up_argument(char* data, std::size_t& size);
  bool charge_arguments();
  void release_input();
  void out_of_buffers();
  void flush();
  void settle();
  void begin_linger();
  void update_poll();

  ConnectionOwner& owner_;
  BufferAccount& account_;
  const int fd_;
  uv_poll_t poll_{};
  std::unique_ptr<Session> session_;
  RespParser parser_;
  Buffer kept_;
  std::size_t charged_bytes_ = 0;  // to the account, for the parser's list of arguments
  int interest_ = 0;               // what the poll handle asks for
  bool started_ = false;
  bool input_ended_ = false;  // EOF, or an error after which nothing can be read
  bool output_dead_ = false;  // the client takes nothing any more
  bool backlog_ = false;      // kept_ may hold whole commands: reading waits for the output
  bool lingering_ = false;    // our last word is said; what still comes is thrown away
  bool closed_ = false;
  std::uint64_t deadline_ms_ = 0;
  std::uint64_t accepted_ms_ = 0;
};

}  // namespace mayfly::ingestd
