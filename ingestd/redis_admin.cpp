// The Redis commands that only clients' manners ask for: greetings, names, what the server is.
#include <fnmatch.h>
#include <charconv>

#include "ingestd/redis_session.h"

namespace mayfly::ingestd {
namespace {

// The Redis whose manners are copied: clients choose their words by it.
constexpr std::string_view kRedisVersion = "7.0.0";
constexpr std::size_t kMaxNameBytes = 128;

// What redis-benchmark and client libraries look at.
struct Setting {
  const char* name;
  std::string_view value;
};
constexpr Setting kSettings[] = {{"save", ""},
                                 {"appendonly", "no"},
                                 {"databases", "1"},
                                 {"maxmemory", "0"},
                                 {"timeout", "0"},
                                 {"maxmemory-policy", "noeviction"},
                                 {"proto-max-bulk-len", "536870912"}};

bool parse_index(std::string_view text, std::uint64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

void RedisSession::ping(const RespArguments& arguments) {
  if (arguments.size() > 2) {
    wrong_arity("PING");
  } else if (arguments.size() == 1) {
    output_.simple("PONG");
  } else if (arguments.skipped(1)) {
    malformed("ERR argument too long");
  } else {
    output_.bulk(arguments[1]);
  }
}

void RedisSession::echo(const RespArguments& arguments) {
  if (arguments.skipped(1)) {
    malformed("ERR argument too long");
  } else {
    output_.bulk(arguments[1]);
  }
}

void RedisSession::hello(const RespArguments& arguments) {
  std::uint64_t version = 2;
  if (arguments.size() > 1 && !parse_index(arguments[1], version)) {
    output_.error("ERR Protocol version is not an integer or out of range");
    return;
  }
  if (version != 2 && version != 3) {
    output_.error("NOPROTO unsupported protocol version");
    return;
  }
  if (!hello_options(arguments)) return;
  constexpr std::size_t kFields = 7;
  if (version == 3) {
    output_.map(kFields);
  } else {
    output_.array(2 * kFields);
  }
  const auto field = [this](std::string_view name, std::string_view value) {
    output_.bulk(name);
    output_.bulk(value);
  };
  field("server", "mayfly");
  field("version", kRedisVersion);
  output_.bulk("proto");
  output_.integer(version);
  output_.bulk("id");
  output_.integer(id_);
  field("mode", "standalone");
  field("role", "master");
  output_.bulk("modules");
  output_.array(0);
}

bool RedisSession::hello_options(const RespArguments& arguments) {
  for (std::size_t i = 2; i < arguments.size();) {
    const std::size_t left = arguments.size() - i - 1;
    if (same_command(arguments[i], "AUTH") && left >= 2) {
      i += 3;
    } else if (same_command(arguments[i], "SETNAME") && left >= 1) {
      if (!set_name(arguments[i + 1])) return false;
      i += 2;
    } else {
      output_.error("ERR Syntax error in HELLO option '" + printable(arguments[i]) + "'");
      return false;
    }
  }
  return true;
}

// There are no passwords here: who may write is decided by who may connect. Clients that are
// configured to send one are not turned away.
void RedisSession::auth(const RespArguments& arguments) {
  if (arguments.size() > 3) {
    output_.error("ERR syntax error");
  } else {
    output_.simple("OK");
  }
}

bool RedisSession::set_name(std::string_view name) {
  for (const char c : name) {
    if (c < '!' || c > '~') {
      output_.error("ERR Client names cannot contain spaces, newlines or special characters.");
      return false;
    }
  }
  if (name.size() > kMaxNameBytes) {
    output_.error("ERR Client names have at most 128 bytes");
    return false;
  }
  name_ = name;
  return true;
}

std::string RedisSession::describe() const {
  return "id=" + std::to_string(id_) + " name=" + name_ + " db=0 resp=2\n";
}

void RedisSession::client(const RespArguments& arguments) {
  const std::string_view what = arguments[1];
  const std::size_t count = arguments.size();
  if (same_command(what, "REPLY") && count == 3) {
    client_reply(arguments[2]);
  } else if (same_command(what, "SETNAME") && count == 3) {
    if (set_name(arguments[2])) output_.simple("OK");
  } else if (same_command(what, "GETNAME") && count == 2) {
    name_.empty() ? output_.null() : output_.bulk(name_);
  } else if (same_command(what, "ID") && count == 2) {
    output_.integer(id_);
  } else if (same_command(what, "SETINFO") && count == 4) {
    output_.simple("OK");
  } else if (same_command(what, "INFO") && count == 2) {
    output_.bulk(describe());
  } else if (same_command(what, "LIST")) {
    output_.bulk(describe());  // of itself: others are none of its business
  } else if ((same_command(what, "NO-EVICT") || same_command(what, "NO-TOUCH")) && count == 3) {
    output_.simple("OK");
  } else {
    malformed("ERR unknown subcommand or wrong number of arguments for '" + printable(what) +
              "'. Try CLIENT HELP.");
  }
}

void RedisSession::client_reply(std::string_view mode) {
  if (same_command(mode, "ON")) {
    mode_ = ReplyMode::on;
    skip_this_ = false;
    output_.simple("OK");
  } else if (same_command(mode, "OFF")) {
    mode_ = ReplyMode::off;
  } else if (same_command(mode, "SKIP")) {
    skip_this_ = true;
    skip_next_ = true;
  } else {
    output_.error("ERR syntax error");
  }
}

void RedisSession::select(const RespArguments& arguments) {
  std::uint64_t index = 0;
  if (!parse_index(arguments[1], index)) {
    output_.error("ERR value is not an integer or out of range");
  } else if (index > 15) {
    output_.error("ERR DB index is out of range");
  } else {
    output_.simple("OK");  // all databases are the same one
  }
}

void RedisSession::describe_command(const Command& command) {
  output_.array(6);
  std::string name(command.name);
  for (char& c : name) c = static_cast<char>(c | 0x20);
  output_.bulk(name);
  output_.raw(":" + std::to_string(command.arity) + "\r\n");
  output_.array(1);
  output_.simple(command.kind != shm::Kind::none ? "write" : "fast");
  const std::uint64_t first_key = command.kind != shm::Kind::none ? 1 : 0;
  for (int i = 0; i < 3; ++i) output_.integer(first_key);  // first, last, step
}

void RedisSession::command(const RespArguments& arguments) {
  const std::string_view what = arguments.size() > 1 ? arguments[1] : std::string_view();
  if (arguments.size() == 1 || (same_command(what, "INFO") && arguments.size() == 2)) {
    output_.array(commands().size());
    for (const Command& entry : commands()) describe_command(entry);
  } else if (same_command(what, "COUNT") && arguments.size() == 2) {
    output_.integer(commands().size());
  } else if (same_command(what, "DOCS")) {
    output_.array(0);
  } else if (same_command(what, "INFO")) {
    output_.array(arguments.size() - 2);
    for (std::size_t i = 2; i < arguments.size(); ++i) {
      const Command* entry = table().find(arguments[i]);
      entry != nullptr ? describe_command(*entry) : output_.raw("*-1\r\n");
    }
  } else {
    malformed("ERR unknown subcommand '" + printable(what) + "'. Try COMMAND HELP.");
  }
}

void RedisSession::config(const RespArguments& arguments) {
  if (!same_command(arguments[1], "GET") || arguments.size() < 3) {
    malformed("ERR unknown subcommand or wrong number of arguments for '" + printable(arguments[1]) +
              "'. Try CONFIG HELP.");
    return;
  }
  std::size_t found = 0;
  std::array<const Setting*, std::size(kSettings)> wanted{};
  for (const Setting& setting : kSettings) {
    for (std::size_t i = 2; i < arguments.size(); ++i) {
      const std::string pattern(arguments[i].substr(0, kMaxNameBytes));
      if (::fnmatch(pattern.c_str(), setting.name, FNM_CASEFOLD) != 0) continue;
      wanted[found++] = &setting;
      break;
    }
  }
  output_.array(2 * found);
  for (std::size_t i = 0; i < found; ++i) {
    output_.bulk(wanted[i]->name);
    output_.bulk(wanted[i]->value);
  }
}

void RedisSession::info(const RespArguments&) {
  std::string text = "# Server\r\nredis_version:";
  text.append(kRedisVersion).append("\r\nredis_mode:standalone\r\nmayfly_version:" MAYFLY_VERSION "\r\n");
  text.append("\r\n# Replication\r\nrole:master\r\n");
  text.append("\r\n# Persistence\r\nloading:0\r\n");
  output_.bulk(text);
}

void RedisSession::reset(const RespArguments&) {
  leave_transaction();
  mode_ = ReplyMode::on;
  skip_this_ = false;
  name_.clear();
  output_.simple("RESET");
}

void RedisSession::quit(const RespArguments&) {
  output_.simple("OK");
  closing_ = true;
}

void RedisSession::use_hset(const RespArguments&) { malformed("ERR use HSET dir key value"); }

void RedisSession::write_only(const RespArguments&) {
  output_.error("ERR write-only, read through the relay");
}

}  // namespace mayfly::ingestd
