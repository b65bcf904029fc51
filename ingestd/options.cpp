#include "ingestd/options.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <thread>

#include "common/log_output.h"
#include "common/memory_limit.h"
#include "common/runtime_dir.h"
#include "common/units.h"
#include "ingestd/server.h"

namespace mayfly::ingestd {
namespace {

constexpr std::uint64_t kDefaultMemory = 256ull << 20;
constexpr std::uint64_t kMaxMemory = 1ull << 40;
constexpr std::uint32_t kDefaultWorkersAtMost = 4;
constexpr std::uint64_t kSpareFiles = 64;  // segments, loops, listeners, log output

constexpr ConfigKey kKeys[] = {
    {"runtime_dir", "text", "see Runtime directory", "where segments and sockets live"},
    {"peer_dir", "path", "the same", "relayd's runtime directory, where that is another"},
    {"memory", "size", "256MiB or half of what is free", "size of the data segment, 1MiB to 1TiB"},
    {"workers", "integer", "as many as processors, at most 4", "threads that take records in, 1 to 15"},
    {"ingest", "address", "127.0.0.1:4717", "native listener; `none`: no such listener"},
    {"redis", "address", "127.0.0.1:4718", "listener for Redis clients; `none`: no such listener"},
    {"ingest_unix", "path", "ingest.sock in the runtime directory",
     "native listener on a unix socket, or `none`"},
    {"unix_mode", "octal text", "\"0660\"", "mode of the unix socket"},
    {"unix_group", "text", "the process's group", "group of the unix socket"},
    {"max_connections", "integer", "12000", "connections over all listeners; the file limit may allow fewer"},
    {"max_connections_per_source", "integer", "10000",
     "of these, from one address (IPv6: one /64), or by one user's processes on the unix socket"},
    {"max_buffered", "size", "64MiB",
     "memory for incomplete commands and waiting replies of all connections"},
    {"read_buffer", "size", "128KiB",
     "what is read from one connection before its neighbours have their turn"},
    {"first_command_timeout", "age", "5m", "a connection without one complete command by then is closed"},
    {"lock_memory", "auto, off, require", "auto",
     "keeps buffers out of swap: `auto` where that is allowed without a limit; `require`: or does not start"},
    {"allow_swap", "flag", "true", "`false`: does not start where swap could take the segment"},
    {"log_level", "text", "info", "trace, debug, info, warning, error, critical, or off"},
};
constexpr ConfigTable kTable{"ingestd", kKeys};

// A value as it was given, and where, so that errors can say so.
struct Given {
  std::string config;
  std::string runtime_dir, peer_dir, memory, workers, ingest, redis, ingest_unix, unix_mode, unix_group,
      log_level, lock_memory;
};

shm::Result<unsigned> parse_mode(const std::string& text) {
  if (text.empty() || text.size() > 4 || text.find_first_not_of("01234567") != std::string::npos) {
    return shm::Error{shm::Errc::invalid, "not a file mode such as 0660: " + text};
  }
  return static_cast<unsigned>(std::stoul(text, nullptr, 8)) & 0777u;
}

shm::Status read_config(const std::string& path, Options& options) {
  const auto file = load_yaml_file(path);
  if (!file) return file.error();
  YamlMap map(file.value().root, kTable);
  std::uint64_t workers = options.workers;
  auto timeout = static_cast<std::uint64_t>(options.limits.first_command_timeout.count());
  std::string mode;
  std::string lock;
  map.text("runtime_dir", options.runtime_dir);
  map.text("peer_dir", options.peer_dir);
  map.size("memory", options.memory);
  map.integer("workers", workers, 1, kMaxIngestWorkers);
  map.text("ingest", options.ingest);
  map.text("redis", options.redis);
  map.text("ingest_unix", options.ingest_unix);
  map.text("unix_mode", mode);
  map.text("unix_group", options.unix_group);
  map.integer("max_connections", options.limits.max_connections, 1, 1'000'000);
  map.integer("max_connections_per_source", options.limits.max_connections_per_source, 1, 1'000'000);
  map.size("max_buffered", options.limits.max_buffered_bytes);
  map.size("read_buffer", options.limits.read_bytes);
  map.age("first_command_timeout", timeout);
  map.text("lock_memory", lock);
  map.flag("allow_swap", options.allow_swap);
  map.text("log_level", options.log_level);
  if (!mode.empty()) {
    const auto parsed = parse_mode(mode);
    if (parsed) options.unix_mode = parsed.value();
    if (!parsed) map.fail(map.place("unix_mode"), parsed.error().text);
  }
  if (!lock.empty()) {
    const auto parsed = parse_memory_lock(lock);
    if (parsed) options.lock_memory = parsed.value();
    if (!parsed) map.fail(map.place("lock_memory"), parsed.error().text);
  }
  const auto between = [&map](const char* key, std::uint64_t value, std::uint64_t low, std::uint64_t high) {
    if (map.has(key) && (value < low || value > high)) {
      map.fail(map.place(key),
               std::string(key) + " must be between " + format_size(low) + " and " + format_size(high));
    }
  };
  between("memory", options.memory, kMinMemory, kMaxMemory);
  between("max_buffered", options.limits.max_buffered_bytes, 1 << 20, kMaxMemory);
  between("read_buffer", options.limits.read_bytes, 4 << 10, 16 << 20);
  if (map.has("first_command_timeout") && (timeout < 1 || timeout > 86400 * 365)) {
    map.fail(map.place("first_command_timeout"), "first_command_timeout must be between 1s and 365d");
  }
  if (!valid_log_level(options.log_level))
    map.fail(map.place("log_level"), "unknown log level: " + options.log_level);
  options.workers = static_cast<std::uint32_t>(workers);
  options.limits.first_command_timeout = std::chrono::seconds(timeout);
  return map.status();
}

shm::Status read_flags(const Given& given, Options& options) {
  const auto wrong = [](const char* flag, const std::string& why) {
    return shm::Error{shm::Errc::invalid, std::string(flag) + ": " + why};
  };
  const auto take = [](const std::string& from, std::string& to) {
    if (!from.empty()) to = from;
  };
  take(given.runtime_dir, options.runtime_dir);
  take(given.peer_dir, options.peer_dir);
  take(given.ingest, options.ingest);
  take(given.redis, options.redis);
  take(given.ingest_unix, options.ingest_unix);
  take(given.unix_group, options.unix_group);
  take(given.log_level, options.log_level);
  if (!given.memory.empty()) {
    const auto bytes = parse_size(given.memory);
    if (!bytes) return wrong("--memory", bytes.error().text);
    if (bytes.value() < kMinMemory || bytes.value() > kMaxMemory)
      return wrong("--memory", "must be between 1MiB and 1TiB");
    options.memory = bytes.value();
  }
  if (!given.workers.empty()) {
    const auto count = parse_integer(given.workers);
    if (!count || count.value() < 1 || count.value() > kMaxIngestWorkers) {
      return wrong("--workers", "must be between 1 and " + std::to_string(kMaxIngestWorkers));
    }
    options.workers = static_cast<std::uint32_t>(count.value());
  }
  if (!given.unix_mode.empty()) {
    const auto mode = parse_mode(given.unix_mode);
    if (!mode) return wrong("--unix-mode", mode.error().text);
    options.unix_mode = mode.value();
  }
  if (!given.lock_memory.empty()) {
    const auto lock = parse_memory_lock(given.lock_memory);
    if (!lock) return wrong("--lock-memory", lock.error().text);
    options.lock_memory = lock.value();
  }
  if (!valid_log_level(options.log_level)) return wrong("--log-level", "unknown level: " + options.log_level);
  return {};
}

void add_flags(CLI::App& app, Given& given) {
  app.add_option("--config", given.config, "YAML file; flags win over it");
  app.add_option("--runtime-dir", given.runtime_dir, "where segments and sockets live");
  app.add_option("--peer-dir", given.peer_dir, "relayd's runtime directory, where that is another");
  app.add_option("--memory", given.memory, "size of a new data segment, such as 256MiB");
  app.add_option("--workers", given.workers, "threads that take records in");
  app.add_option("--ingest", given.ingest, "native listener, HOST:PORT or none");
  app.add_option("--redis", given.redis, "listener for Redis clients, HOST:PORT or none");
  app.add_option("--ingest-unix", given.ingest_unix, "native listener, PATH or none");
  app.add_option("--unix-mode", given.unix_mode, "mode of the unix socket, octal");
  app.add_option("--unix-group", given.unix_group, "group of the unix socket");
  app.add_option("--lock-memory", given.lock_memory, "keep buffers out of swap: auto, off, require");
  app.add_option("--log-level", given.log_level, "trace, debug, info, warning, error, critical, off");
  app.set_version_flag("--version", "ingestd " MAYFLY_VERSION);
}

ParsedOptions refused(const std::string& text) { return {{}, 2, "ingestd: " + text + "\n"}; }

}  // namespace

const ConfigTable& config_table() { return kTable; }

ParsedOptions parse_options(int argc, const char* const* argv) {
  CLI::App app("takes records in and keeps them in a shared memory segment", "ingestd");
  Given given;
  add_flags(app, given);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForVersion&) {
    return {{}, 0, app.version() + "\n"};
  } catch (const CLI::CallForHelp&) {
    return {{}, 0, app.help()};
  } catch (const CLI::ParseError& error) {
    return refused(error.what());
  }
  ParsedOptions parsed;
  Options& options = parsed.options;
  const std::uint32_t processors = std::max(1u, std::thread::hardware_concurrency());
  options.workers = std::min(processors, kDefaultWorkersAtMost);
  if (!given.config.empty()) {
    if (const shm::Status read = read_config(given.config, options); !read) return refused(read.error().text);
  }
  if (const shm::Status read = read_flags(given, options); !read) return refused(read.error().text);
  options.runtime_dir = choose_runtime_dir(options.runtime_dir);
  return parsed;
}

std::uint64_t default_memory(const std::string& directory, const std::string& segment_path) {
  struct stat segment = {};
  if (::stat(segment_path.c_str(), &segment) == 0 && segment.st_size > 0) {
    return static_cast<std::uint64_t>(segment.st_size);
  }
  struct statvfs space = {};
  if (::statvfs(directory.c_str(), &space) != 0) return kDefaultMemory;
  std::uint64_t free_bytes = static_cast<std::uint64_t>(space.f_bavail) * space.f_frsize;
  if (free_bytes == 0) free_bytes = UINT64_MAX;  // ramfs does not know
  return std::min(kDefaultMemory, std::min(free_bytes, memory_limit().value_or(UINT64_MAX)) / 2);
}

std::uint64_t connection_limit(std::uint64_t wanted, std::uint64_t file_limit) {
  const std::uint64_t possible = file_limit > 2 * kSpareFiles ? file_limit - kSpareFiles : file_limit / 2;
  return std::min(wanted, possible);
}

}  // namespace mayfly::ingestd
