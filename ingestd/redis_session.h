// The Redis listener's protocol: each command gets the reply its Redis namesake gives, after the
// commit; nothing is ever read back.
//
// Records are staged, and their replies with them: both are settled by end_turn(), which every
// other reply waits for. So replies keep the order of commands.
#pragma once

#include <array>
#include <string>

#include "ingestd/command_table.h"
#include "ingestd/redis_output.h"
#include "ingestd/session.h"
#include "ingestd/transaction_queue.h"

namespace mayfly::ingestd {

/// The reply that a staged command gets once its records are stored.
struct StagedReply {
  enum class Form : std::uint8_t { stored, removed, ok, stream_id };
  Form form = Form::ok;
  bool silent = false;
  Outcome outcome;
};

/// What the Redis sessions of a worker share, one turn at a time.
struct RedisContext {
  SessionContext& session;
  BufferAccount& account;
  std::array<StagedReply, shm::kMaxBatchRecords> replies;
  std::vector<RespArgument> queued;  // of the transaction's command at hand
};

class RedisSession final : public Session {
 public:
  /// The context must outlive the session. `id` is told by CLIENT ID.
  RedisSession(RedisContext& context, std::uint64_t id)
      : context_(context), output_(context.account), queue_(context.account), id_(id) {}

  bool feed(RespParser& parser, std::string_view data) override;
  void on_command(const RespArguments& arguments) override;
  void on_line(std::string_view line) override;
  void on_long_line() override;
  void on_protocol_error(std::string_view text) override;
  bool keep_argument(const RespArguments& so_far, std::uint64_t bytes) override;
  void end_turn() override;
  void on_service(Service) override {}  // a Redis client expects nothing unasked
  std::string_view output() override { return output_.pending(); }
  void output_sent(std::size_t bytes) override { output_.sent(bytes); }
  bool output_full() const override { return output_.full(); }

  enum class Rank : std::uint8_t {
    plain,      // waits its turn in a transaction
    immediate,  // acts within a transaction: MULTI, EXEC, DISCARD, RESET, QUIT
  };
  struct Command {
    std::string_view name;
    int arity;  // the name counted; negative: at least so many
    void (RedisSession::*run)(const RespArguments& arguments);
    shm::Kind kind = shm::Kind::none;  // of a record; none: not a record
    Rank rank = Rank::plain;
  };
  /// All commands, for COMMAND and for tests.
  static std::span<const Command> commands();

 private:
  enum class ReplyMode : std::uint8_t { on, off };

  static const CommandTable<Command>& table();
  void run(const Command* command, const RespArguments& arguments);
  void execute(const Command& command, const RespArguments& arguments);
  void enqueue(const RespArguments& arguments);
  bool silent() const { return mode_ == ReplyMode::off || skip_this_; }
  /// Settles what is staged, so that a reply may be written now.
  RedisOutput& reply();
  void malformed(const std::string& text);
  void wrong_arity(std::string_view name);
  void unknown_command(const RespArguments& arguments);
  void settle(const StagedReply& staged);
  void refuse_drop(const Outcome& outcome);

  // Records.
  StagedReply& stage_reply(StagedReply::Form form);
  /// Stages the record whose key is argument `key`, and whose value, if it has one, is the one behind it.
  void stage_record(StagedReply& reply, shm::Kind kind, Operation operation, const RespArguments& arguments,
                    std::size_t key);
  void hset(const RespArguments& arguments);
  void hdel(const RespArguments& arguments);
  void xadd(const RespArguments& arguments);
  void status(const RespArguments& arguments);
  void log(const RespArguments& arguments);
  void unset(const RespArguments& arguments);

  // Transactions.
  void multi(const RespArguments& arguments);
  void exec(const RespArguments& arguments);
  void discard(const RespArguments& arguments);
  void leave_transaction();

  // The rest.
  void ping(const RespArguments& arguments);
  void echo(const RespArguments& arguments);
  void hello(const RespArguments& arguments);
  bool hello_options(const RespArguments& arguments);
  void auth(const RespArguments& arguments);
  void client(const RespArguments& arguments);
  void client_reply(std::string_view mode);
  bool set_name(std::string_view name);
  std::string describe() const;
  void select(const RespArguments& arguments);
  void command(const RespArguments& arguments);
  void describe_command(const Command& command);
  void config(const RespArguments& arguments);
  void info(const RespArguments& arguments);
  void reset(const RespArguments& arguments);
  void quit(const RespArguments& arguments);
  void use_hset(const RespArguments& arguments);
  void write_only(const RespArguments& arguments);

  RedisContext& context_;
  RedisOutput output_;
  TransactionQueue queue_;
  const std::uint64_t id_;
  shm::DropCounts drops_{};
  std::uint32_t staged_replies_ = 0;
  ReplyMode mode_ = ReplyMode::on;
  bool skip_this_ = false;
  bool skip_next_ = false;
  bool in_transaction_ = false;
  bool transaction_failed_ = false;
  std::string name_;
};

}  // namespace mayfly::ingestd
