#include "ingestd/redis_session.h"

#include "ingestd/inline_line.h"
#include "ingestd/session_feed.h"

namespace mayfly::ingestd {
namespace {

std::string lower(std::string_view name) {
  std::string text(name);
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

}  // namespace

void RedisSession::on_command(const RespArguments& arguments) { run(table().find(arguments[0]), arguments); }

bool RedisSession::feed(RespParser& parser, std::string_view data) {
  return feed_session(parser, *this, data);
}

void RedisSession::on_line(std::string_view line) {
  if (looks_like_http(line)) {
    on_protocol_error("Protocol error: this is not an HTTP server");
    return;
  }
  const Command* command = table().find(inline_command(line));
  // Where the number of arguments is fixed, the last one is the rest of the line.
  const bool fixed = command != nullptr && command->arity > 0;
  split_inline(line, fixed ? static_cast<std::size_t>(command->arity) : line.size() + 1,
               context_.session.parts);
  run(command, RespArguments(line.data(), context_.session.parts));
}

void RedisSession::run(const Command* command, const RespArguments& arguments) {
  proven_ = true;
  skip_this_ = skip_next_;
  skip_next_ = false;
  if (command == nullptr) {
    unknown_command(arguments);
  } else if (!arity_fits(command->arity, arguments.size())) {
    wrong_arity(command->name);
  } else if (in_transaction_ && command->rank == Rank::plain) {
    enqueue(arguments);
  } else {
    execute(*command, arguments);
  }
}

void RedisSession::execute(const Command& command, const RespArguments& arguments) {
  if (command.kind != shm::Kind::none) {
    (this->*command.run)(arguments);
    return;
  }
  end_turn();
  const std::size_t mark = output_.mark();
  (this->*command.run)(arguments);
  if (silent()) output_.rewind(mark);  // asked now: CLIENT REPLY has its say on its own reply
}

RedisOutput& RedisSession::reply() {
  end_turn();
  return output_;
}

void RedisSession::end_turn() {
  context_.session.batch.store(drops_);
  for (std::uint32_t i = 0; i < staged_replies_; ++i) {
    if (!context_.replies[i].silent) settle(context_.replies[i]);
  }
  staged_replies_ = 0;
  if (output_.failed()) closing_ = true;
}

void RedisSession::settle(const StagedReply& staged) {
  const Outcome& outcome = staged.outcome;
  if (outcome.dropped > 0) {
    refuse_drop(outcome);
    return;
  }
  switch (staged.form) {
    case StagedReply::Form::stored:
      output_.integer(outcome.stored);
      break;
    case StagedReply::Form::removed:
      output_.integer(outcome.removed);
      break;
    case StagedReply::Form::ok:
      output_.simple("OK");
      break;
    case StagedReply::Form::stream_id:
      output_.bulk(std::to_string(outcome.last_time_ns / 1'000'000) + "-" + std::to_string(outcome.last_seq));
      break;
  }
}

void RedisSession::refuse_drop(const Outcome& outcome) {
  std::string text = "QUOTA " + std::string(cause_name(outcome.first_cause));
  if (outcome.first_cause == shm::DropCause::stopped) {
    // "-STOP no-quotas …": its words, without sign and line end.
    const std::string_view line = service_line(context_.session.service.judged());
    if (line.front() == '-') text.append(" ").append(line.substr(1, line.size() - 3));
  } else {
    const std::uint64_t all = outcome.dropped + outcome.stored + outcome.removed;
    text.append(" ").append(std::to_string(outcome.dropped)).append(" of ").append(std::to_string(all));
    text.append(" dropped");
  }
  output_.error(text);
}

void RedisSession::malformed(const std::string& text) {
  context_.session.batch.count_bad_command(drops_);
  if (in_transaction_) transaction_failed_ = true;
  end_turn();
  if (!silent()) output_.error(text);
}

void RedisSession::wrong_arity(std::string_view name) {
  malformed("ERR wrong number of arguments for '" + lower(name) + "' command");
}

// Redis 7's wording: the command's name and the beginning of its arguments.
void RedisSession::unknown_command(const RespArguments& arguments) {
  constexpr std::size_t kShown = 128;
  std::string shown;
  for (std::size_t i = 1; i < arguments.size() && shown.size() < kShown; ++i) {
    shown.append("'").append(printable(arguments[i], kShown - shown.size())).append("' ");
  }
  malformed("ERR unknown command '" + printable(arguments[0], kShown) +
            "', with args beginning with: " + shown);
}

void RedisSession::on_long_line() {
  proven_ = true;
  malformed("ERR line too long");
}

void RedisSession::on_protocol_error(std::string_view text) {
  context_.session.batch.count_bad_command(drops_);
  end_turn();
  output_.error("ERR " + std::string(text));
  closing_ = true;
}

bool RedisSession::keep_argument(const RespArguments& so_far, std::uint64_t bytes) {
  if (so_far.size() < 2) return false;  // a command or a directory of that name cannot be
  const Command* command = table().find(so_far[0]);
  if (command == nullptr || command->kind == shm::Kind::none) return false;
  if (command->arity > 0 && so_far.size() >= static_cast<std::size_t>(command->arity)) return false;
  return context_.session.batch.worth_keeping(command->kind, so_far[1], bytes);
}

void RedisSession::enqueue(const RespArguments& arguments) {
  if (!queue_.add(arguments)) {
    malformed("ERR transaction too large");
    return;
  }
  if (!silent()) reply().simple("QUEUED");
}

void RedisSession::multi(const RespArguments&) {
  if (in_transaction_) {
    output_.error("ERR MULTI calls can not be nested");
    return;
  }
  in_transaction_ = true;
  output_.simple("OK");
}

void RedisSession::exec(const RespArguments&) {
  if (!in_transaction_) {
    output_.error("ERR EXEC without MULTI");
    return;
  }
  if (transaction_failed_) {
    leave_transaction();
    output_.error("EXECABORT Transaction discarded because of previous errors.");
    return;
  }
  in_transaction_ = false;
  output_.array(queue_.commands());
  std::size_t position = 0;
  for (std::size_t left = queue_.commands(); left > 0; --left) {
    const RespArguments arguments = queue_.read(position, context_.queued);
    execute(*table().find(arguments[0]), arguments);
  }
  end_turn();  // before the views are gone
  leave_transaction();
}

void RedisSession::discard(const RespArguments&) {
  if (!in_transaction_) {
    output_.error("ERR DISCARD without MULTI");
    return;
  }
  leave_transaction();
  output_.simple("OK");
}

void RedisSession::leave_transaction() {
  in_transaction_ = false;
  transaction_failed_ = false;
  queue_.clear();
}

}  // namespace mayfly::ingestd
