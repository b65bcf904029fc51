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

  bool feed(RespParser& parser, std::string_view data) override;
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
    void (NativeSession::*run)(const RespArguments& arguments);  // of what is no record
    shm::Kind kind;                                              // of a record; none: not a record
    Operation operation;
  };
  static const CommandTable<Command>& table();

  void run(const Command* command, const RespArguments& arguments);
  void ping(const RespArguments& arguments);
  void dropped(const RespArguments& arguments);
  void quit(const RespArguments& arguments);
  void stage(const Command& command, const RespArguments& arguments);
  void bad_command(const std::string& text);

  const Command* find(const RespArguments& arguments);

  SessionContext& context_;
  // The command before, by its name's first bytes: clients send the same one again and again.
  std::uint64_t last_prefix_ = 0;
  std::uint64_t last_bytes_ = 0;
  const Command* last_command_ = nullptr;
  NativeOutput output_;
  shm::DropCounts drops_{};
};

}  // namespace mayfly::ingestd
