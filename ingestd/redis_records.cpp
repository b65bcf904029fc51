// The Redis commands that write: each stages its records and the reply that follows from them.
#include <algorithm>

#include "ingestd/redis_session.h"

namespace mayfly::ingestd {
namespace {

bool is_number(std::string_view text) {
  return !text.empty() && text.size() <= 20 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// `*`, `<ms>`, `<ms>-<seq>` or `<ms>-*`. The id itself is ours to give.
bool is_stream_id(std::string_view text) {
  if (text == "*") return true;
  const std::size_t dash = text.find('-');
  if (!is_number(text.substr(0, dash))) return false;
  if (dash == std::string_view::npos) return true;
  const std::string_view seq = text.substr(dash + 1);
  return seq == "*" || is_number(seq);
}

constexpr const char* kNotAnInteger = "ERR value is not an integer or out of range";

constexpr const char* kBadId = "ERR Invalid stream ID specified as stream command argument";
constexpr const char* kLimitAlone = "ERR syntax error, LIMIT cannot be used without the special ~ option";

// MAXLEN or MINID at `at`, with what belongs to it; moves `at` behind it. Returns what is wrong,
// or null.
const char* pass_trim_option(const RespArguments& arguments, std::size_t& at) {
  const bool by_count = same_command(arguments[at], "MAXLEN");
  ++at;
  bool approximate = false;
  if (at < arguments.size() && (arguments[at] == "~" || arguments[at] == "="))
    approximate = arguments[at++] == "~";
  if (at >= arguments.size()) return "ERR syntax error";
  if (by_count && !is_number(arguments[at])) return kNotAnInteger;
  if (!by_count && !is_stream_id(arguments[at])) return kBadId;
  ++at;
  if (at >= arguments.size() || !same_command(arguments[at], "LIMIT")) return nullptr;
  if (!approximate) return kLimitAlone;
  if (at + 1 >= arguments.size() || !is_number(arguments[at + 1])) return kNotAnInteger;
  at += 2;
  return nullptr;
}

// Passes the options before XADD's id, all of which only ask for what quotas do anyway, and leaves
// `at` on the id. Returns what is wrong, or null.
const char* pass_xadd_options(const RespArguments& arguments, std::size_t& at) {
  while (at < arguments.size()) {
    if (same_command(arguments[at], "NOMKSTREAM")) {
      ++at;
    } else if (same_command(arguments[at], "MAXLEN") || same_command(arguments[at], "MINID")) {
      if (const char* wrong = pass_trim_option(arguments, at); wrong != nullptr) return wrong;
    } else {
      return nullptr;
    }
  }
  return "ERR syntax error";
}

}  // namespace

StagedReply& RedisSession::stage_reply(StagedReply::Form form) {
  if (staged_replies_ == context_.replies.size()) end_turn();
  StagedReply& reply = context_.replies[staged_replies_++];
  reply.form = form;
  reply.silent = silent();
  reply.outcome = Outcome{};
  return reply;
}

void RedisSession::stage_record(StagedReply& reply, shm::Kind kind, Operation operation,
                                const RespArguments& arguments, std::size_t key) {
  Batch& batch = context_.session.batch;
  if (batch.full()) batch.store(drops_);  // the replies wait: this command's is not complete yet
  batch.stage(kind, operation, arguments, key, &reply.outcome);
}

void RedisSession::hset(const RespArguments& arguments) {
  if (arguments.size() % 2 != 0) {
    wrong_arity("HSET");
    return;
  }
  StagedReply& reply = stage_reply(StagedReply::Form::stored);
  for (std::size_t key = 2; key < arguments.size(); key += 2)
    stage_record(reply, shm::Kind::status, Operation::append, arguments, key);
}

void RedisSession::hdel(const RespArguments& arguments) {
  StagedReply& reply = stage_reply(StagedReply::Form::removed);
  for (std::size_t key = 2; key < arguments.size(); ++key)
    stage_record(reply, shm::Kind::status, Operation::unset, arguments, key);
}

void RedisSession::xadd(const RespArguments& arguments) {
  std::size_t id = 2;
  if (const char* wrong = pass_xadd_options(arguments, id); wrong != nullptr) {
    malformed(wrong);
    return;
  }
  const std::size_t fields = arguments.size() - id - 1;
  if (fields == 0 || fields % 2 != 0) {
    wrong_arity("XADD");
    return;
  }
  if (!is_stream_id(arguments[id])) {
    malformed(kBadId);
    return;
  }
  StagedReply& reply = stage_reply(StagedReply::Form::stream_id);
  for (std::size_t key = id + 1; key < arguments.size(); key += 2)
    stage_record(reply, shm::Kind::log, Operation::append, arguments, key);
}

void RedisSession::status(const RespArguments& arguments) {
  stage_record(stage_reply(StagedReply::Form::ok), shm::Kind::status, Operation::append, arguments, 2);
}

void RedisSession::log(const RespArguments& arguments) {
  stage_record(stage_reply(StagedReply::Form::ok), shm::Kind::log, Operation::append, arguments, 2);
}

void RedisSession::unset(const RespArguments& arguments) {
  stage_record(stage_reply(StagedReply::Form::ok), shm::Kind::status, Operation::unset, arguments, 2);
}

}  // namespace mayfly::ingestd
