// The native listener's protocol: records are thrown in and nothing is said about each; PING is
// the barrier, DROPPED the account.
#pragma once

#include <string>

#include "ingestd/command_table.h"
#include "ingestd/native_output.h"
#include "ingestd/session.h"

namespace mayfly::ingestd {

class NativeSession final : public Session {
 public:
  /// The context must outlive the session.
  explicit NativeSession(SessionContext& context) : context_(context) {}

  void on_command(const RespArguments& arguments) override;
  void on_line(std::string_view line) override;
  void on_long_line() override;
  void on_protocol_error(std::string_view text) override;
  bool keep_argument(const RespArguments& so_far, std::uint64_t bytes) override;
  void end_turn() override;
  void on_service(Service service) override;
  std::string_view output() override { return output_.pending(); }
  void output_sent(std::size_t bytes) override { output_.sent(bytes); }
  bool output_full() const override { return false; }

 private:
  struct Command {
    std::string_view name;
    std::size_t min_arguments;  // the name counted
    std::size_t max_arguments;
    void (NativeSession::*run)(const RespArguments& arguments);
    shm::Kind kind;  // of a record; none: not a record
  };
  static const CommandTable<Command>& table();

  void run(const Command* command, const RespArguments& arguments);
  void status(const RespArguments& arguments);
  void log(const RespArguments& arguments);
  void unset(const RespArguments& arguments);
  void ping(const RespArguments& arguments);
  void dropped(const RespArguments& arguments);
  void quit(const RespArguments& arguments);
  void stage(shm::Kind kind, Operation operation, const RespArguments& arguments);
  void bad_command(const std::string& text);

  SessionContext& context_;
  NativeOutput output_;
  shm::DropCounts drops_{};
};

}  // namespace mayfly::ingestd
