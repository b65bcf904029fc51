// What a connection says and hears, free of sockets: commands in, bytes out.
//
// A Session belongs to one connection and so to one worker thread. Views that it is handed live
// until the next end_turn(); it stages records as views and must not keep them beyond that.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/resp_parser.h"
#include "ingestd/batch.h"
#include "ingestd/service_state.h"

namespace mayfly::ingestd {

/// What all sessions of a worker share, one turn at a time.
struct SessionContext {
  Batch& batch;
  const ServiceState& service;
  const shm::Clocks& clocks;
  std::vector<RespArgument> parts;  // of the inline line at hand
};

class Session {
 public:
  virtual ~Session() = default;

  /// Takes every complete command in `data` (see RespParser for what precedes it), then ends the
  /// turn. False when it stopped early because too much waits to be sent: call again later.
  virtual bool feed(RespParser& parser, std::string_view data) = 0;
  virtual void on_command(const RespArguments& arguments) = 0;
  virtual void on_line(std::string_view line) = 0;
  /// A line too long to be kept was passed over.
  virtual void on_long_line() = 0;
  /// The stream cannot be read any further: says so and wants to be closed.
  virtual void on_protocol_error(std::string_view text) = 0;
  /// Whether an argument of `bytes` bytes is worth keeping; `so_far` are those before it.
  virtual bool keep_argument(const RespArguments& so_far, std::uint64_t bytes) = 0;
  /// Stores all that is staged and says what became of it.
  virtual void end_turn() = 0;
  /// Tells the client about the service, where the protocol has a way to.
  virtual void on_service(Service service) = 0;

  /// Bytes to be sent now, and how many of them were.
  virtual std::string_view output() = 0;
  virtual void output_sent(std::size_t bytes) = 0;
  /// True while so much waits to be sent that nothing more shall be read.
  virtual bool output_full() const = 0;

  /// To be closed once the output is sent; nothing more is to be read.
  bool closing() const { return closing_; }
  /// True once a complete command has arrived: such a connection is never closed for being idle.
  bool proven() const { return proven_; }

 protected:
  bool closing_ = false;
  bool proven_ = false;
};

/// A client's word made fit for one line of an error reply: printable, and not too long.
std::string printable(std::string_view text, std::size_t limit = 64);

}  // namespace mayfly::ingestd
