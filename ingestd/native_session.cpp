#include "ingestd/native_session.h"

#include "ingestd/inline_line.h"
#include "ingestd/session_feed.h"

namespace mayfly::ingestd {
namespace {

// A PING's text comes back in a buffer of NativeOutput::kLimit bytes.
constexpr std::size_t kMaxPingBytes = 1024;

}  // namespace

const CommandTable<NativeSession::Command>& NativeSession::table() {
  static constexpr Command kCommands[] = {
      {"STATUS", 4, 4, nullptr, shm::Kind::status, Operation::append},
      {"LOG", 4, 4, nullptr, shm::Kind::log, Operation::append},
      {"UNSET", 3, 3, nullptr, shm::Kind::status, Operation::unset},
      {"PING", 1, 2, &NativeSession::ping, shm::Kind::none, {}},
      {"DROPPED", 1, 1, &NativeSession::dropped, shm::Kind::none, {}},
      {"QUIT", 1, 1, &NativeSession::quit, shm::Kind::none, {}},
  };
  static constexpr CommandTable<Command> kTable(kCommands);
  return kTable;
}

inline const NativeSession::Command* NativeSession::find(const RespArguments& arguments) {
  // No command's name is longer than the prefix, so that prefix and length are all of it.
  const bool same =
      arguments.whole() && arguments.name_prefix() == last_prefix_ && arguments.bytes(0) == last_bytes_;
  if (same) [[likely]]
    return last_command_;
  const Command* const command = table().find(arguments[0]);
  if (command != nullptr && arguments.whole()) {
    last_prefix_ = arguments.name_prefix();
    last_bytes_ = arguments.bytes(0);
    last_command_ = command;
  }
  return command;
}

inline void NativeSession::stage(const Command& command, const RespArguments& arguments) {
  if (context_.batch.full()) end_turn();
  context_.batch.stage(command.kind, command.operation, arguments, /*key=*/2, nullptr);
}

void NativeSession::on_command(const RespArguments& arguments) {
  const Command* const command = find(arguments);
  // Records, first of all: nearly everything that comes.
  if (command != nullptr && command->kind != shm::Kind::none && arguments.size() == command->min_arguments)
      [[likely]] {
    proven_ = true;
    stage(*command, arguments);
    return;
  }
  run(command, arguments);
}

bool NativeSession::feed(RespParser& parser, std::string_view data) {
  return feed_session(parser, *this, data);
}

void NativeSession::on_line(std::string_view line) {
  if (looks_like_http(line)) {
    on_protocol_error("Protocol error: this is not an HTTP server");
    return;
  }
  const Command* command = table().find(inline_command(line));
  split_inline(line, command != nullptr ? command->max_arguments : 1, context_.parts);
  // A command without arguments has no rest of the line: what follows it is one too many.
  if (command != nullptr && command->max_arguments == 1) split_inline(line, 2, context_.parts);
  run(command, RespArguments(line.data(), context_.parts));
}

void NativeSession::run(const Command* command, const RespArguments& arguments) {
  proven_ = true;
  if (command == nullptr) {
    const std::string_view name = arguments[0];
    bad_command("ERR unknown command '" + printable(name.substr(0, name.find(' '))) + "'");
  } else if (arguments.size() < command->min_arguments || arguments.size() > command->max_arguments) {
    bad_command("ERR wrong number of arguments for '" + std::string(command->name) + "'");
  } else if (command->kind != shm::Kind::none) {
    stage(*command, arguments);
  } else {
    (this->*command->run)(arguments);
  }
}

void NativeSession::ping(const RespArguments& arguments) {
  end_turn();
  if (arguments.size() == 1) {
    output_.pong();
    return;
  }
  if (arguments.bytes(1) > kMaxPingBytes) {
    bad_command("ERR the text of a PING is at most 1024 bytes");
    return;
  }
  const std::string_view text = arguments[1];
  std::string reply = "$" + std::to_string(text.size()) + "\r\n";
  output_.reply(reply.append(text).append("\r\n"));
}

void NativeSession::dropped(const RespArguments&) {
  end_turn();
  std::string reply = "*" + std::to_string(2 * shm::kDropCauses) + "\r\n";
  for (std::size_t cause = 0; cause < shm::kDropCauses; ++cause) {
    const std::string_view name = shm::kDropCauseNames[cause];
    reply.append("$").append(std::to_string(name.size())).append("\r\n").append(name);
    reply.append("\r\n:").append(std::to_string(drops_[cause])).append("\r\n");
  }
  output_.reply(reply);
}

void NativeSession::quit(const RespArguments&) {
  end_turn();
  output_.reply("+OK\r\n");
  closing_ = true;
}

void NativeSession::on_long_line() {
  proven_ = true;
  bad_command("ERR line too long");
}

void NativeSession::on_protocol_error(std::string_view text) {
  context_.batch.count_bad_command(drops_);
  end_turn();
  output_.error("ERR " + std::string(text));
  closing_ = true;
}

bool NativeSession::keep_argument(const RespArguments& so_far, std::uint64_t bytes) {
  if (so_far.size() < 2) return false;  // a command or a directory of that name cannot be
  const Command* command = table().find(so_far[0]);
  if (command == nullptr || command->kind == shm::Kind::none) return false;
  if (so_far.size() >= command->max_arguments) return false;
  return context_.batch.worth_keeping(command->kind, so_far[1], bytes);
}

void NativeSession::end_turn() { context_.batch.store(drops_); }

void NativeSession::on_service(Service service) { output_.notice(service); }

void NativeSession::bad_command(const std::string& text) {
  context_.batch.count_bad_command(drops_);
  output_.error(text);
}

}  // namespace mayfly::ingestd
