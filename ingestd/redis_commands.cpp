// Every command of the Redis listener: name, arity, what is done. COMMAND answers from it.
#include "ingestd/redis_session.h"

namespace mayfly::ingestd {

// One table, a line a command.
// NOLINTNEXTLINE(readability-function-size)
std::span<const RedisSession::Command> RedisSession::commands() {
  using S = RedisSession;
  using shm::Kind;
  static constexpr Command kCommands[] = {
      {"HSET", -4, &S::hset, Kind::status},
      {"HDEL", -3, &S::hdel, Kind::status},
      {"XADD", -5, &S::xadd, Kind::log},
      {"STATUS", 4, &S::status, Kind::status},
      {"LOG", 4, &S::log, Kind::log},
      {"UNSET", 3, &S::unset, Kind::status},
      {"MULTI", 1, &S::multi, Kind::none, Rank::immediate},
      {"EXEC", 1, &S::exec, Kind::none, Rank::immediate},
      {"DISCARD", 1, &S::discard, Kind::none, Rank::immediate},
      {"RESET", 1, &S::reset, Kind::none, Rank::immediate},
      {"QUIT", -1, &S::quit, Kind::none, Rank::immediate},
      {"PING", -1, &S::ping},
      {"ECHO", 2, &S::echo},
      {"HELLO", -1, &S::hello},
      {"AUTH", -2, &S::auth},
      {"CLIENT", -2, &S::client},
      {"SELECT", 2, &S::select},
      {"COMMAND", -1, &S::command},
      {"CONFIG", -2, &S::config},
      {"INFO", -1, &S::info},
      // Writes of other kinds: one way to do it is enough.
      {"SET", -1, &S::use_hset},
      {"SETNX", -1, &S::use_hset},
      {"SETEX", -1, &S::use_hset},
      {"PSETEX", -1, &S::use_hset},
      {"MSET", -1, &S::use_hset},
      {"MSETNX", -1, &S::use_hset},
      {"GETSET", -1, &S::use_hset},
      {"APPEND", -1, &S::use_hset},
      {"SETRANGE", -1, &S::use_hset},
      {"SETBIT", -1, &S::use_hset},
      {"INCR", -1, &S::use_hset},
      {"INCRBY", -1, &S::use_hset},
      {"INCRBYFLOAT", -1, &S::use_hset},
      {"DECR", -1, &S::use_hset},
      {"DECRBY", -1, &S::use_hset},
      // Reads: nothing that is stored ever comes back here.
      {"GET", -1, &S::write_only},
      {"MGET", -1, &S::write_only},
      {"GETRANGE", -1, &S::write_only},
      {"GETBIT", -1, &S::write_only},
      {"GETEX", -1, &S::write_only},
      {"GETDEL", -1, &S::write_only},
      {"SUBSTR", -1, &S::write_only},
      {"STRLEN", -1, &S::write_only},
      {"EXISTS", -1, &S::write_only},
      {"KEYS", -1, &S::write_only},
      {"SCAN", -1, &S::write_only},
      {"TYPE", -1, &S::write_only},
      {"TTL", -1, &S::write_only},
      {"PTTL", -1, &S::write_only},
      {"DUMP", -1, &S::write_only},
      {"OBJECT", -1, &S::write_only},
      {"DBSIZE", -1, &S::write_only},
      {"RANDOMKEY", -1, &S::write_only},
      {"HGET", -1, &S::write_only},
      {"HMGET", -1, &S::write_only},
      {"HGETALL", -1, &S::write_only},
      {"HKEYS", -1, &S::write_only},
      {"HVALS", -1, &S::write_only},
      {"HLEN", -1, &S::write_only},
      {"HEXISTS", -1, &S::write_only},
      {"HSTRLEN", -1, &S::write_only},
      {"HSCAN", -1, &S::write_only},
      {"HRANDFIELD", -1, &S::write_only},
      {"XRANGE", -1, &S::write_only},
      {"XREVRANGE", -1, &S::write_only},
      {"XREAD", -1, &S::write_only},
      {"XREADGROUP", -1, &S::write_only},
      {"XLEN", -1, &S::write_only},
      {"XINFO", -1, &S::write_only},
      {"XPENDING", -1, &S::write_only},
      {"LRANGE", -1, &S::write_only},
      {"LLEN", -1, &S::write_only},
      {"LINDEX", -1, &S::write_only},
      {"LPOS", -1, &S::write_only},
      {"SMEMBERS", -1, &S::write_only},
      {"SISMEMBER", -1, &S::write_only},
      {"SMISMEMBER", -1, &S::write_only},
      {"SCARD", -1, &S::write_only},
      {"SRANDMEMBER", -1, &S::write_only},
      {"SSCAN", -1, &S::write_only},
      {"ZRANGE", -1, &S::write_only},
      {"ZREVRANGE", -1, &S::write_only},
      {"ZRANGEBYSCORE", -1, &S::write_only},
      {"ZRANGEBYLEX", -1, &S::write_only},
      {"ZSCORE", -1, &S::write_only},
      {"ZMSCORE", -1, &S::write_only},
      {"ZRANK", -1, &S::write_only},
      {"ZCARD", -1, &S::write_only},
      {"ZCOUNT", -1, &S::write_only},
      {"ZSCAN", -1, &S::write_only},
      {"BITCOUNT", -1, &S::write_only},
      {"BITPOS", -1, &S::write_only},
      {"MONITOR", -1, &S::write_only},
  };
  return kCommands;
}

const CommandTable<RedisSession::Command>& RedisSession::table() {
  static const CommandTable<Command> table(commands());
  return table;
}

}  // namespace mayfly::ingestd
