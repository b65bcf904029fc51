// Every file that is configured with, as a whole: the hub's with drop-ins, the host's, ingestd's, and
// mayfly.json. Any bytes end in a configuration that keeps its promises, or in an error that names its
// place. The first byte says which; a line of "----" begins the next drop-in.
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "common/quota_document.h"
#include "common/runtime_dir.h"
#include "hubd/hub_config.h"
#include "ingestd/options.h"
#include "relayd/relay_config.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/target.h"

namespace mayfly::fuzz::config {

constexpr std::string_view kNextFile = "\n----\n";
constexpr std::size_t kMaxDropIns = 3;

/// A directory in memory that holds one input's files at a time.
class Files {
 public:
  Files() : folder_("/dev/shm/mayfly-fuzz-XXXXXX") {
    require(::mkdtemp(folder_.data()) != nullptr, "a directory in /dev/shm");
    std::filesystem::create_directory(path() + ".d");
  }
  ~Files() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  const std::string& folder() const { return folder_; }
  std::string path() const { return folder_ + "/file.yaml"; }
  std::string drop_in(std::size_t number) const { return path() + ".d/" + std::to_string(number) + ".yaml"; }
  static void write(const std::string& path, std::string_view text, mode_t mode) {
    {
      std::ofstream file(path, std::ios::binary | std::ios::trunc);
      file.write(text.data(), static_cast<std::streamsize>(text.size()));
    }
    require(::chmod(path.c_str(), mode) == 0, "a file's mode");
  }

 private:
  std::string folder_;
};

void require_place(const std::string& error, const Files& files) {
  require(error.starts_with(files.folder()), "an error names its file");
}

void hub(std::string_view text, const Files& files) {
  std::size_t drop_ins = 0;
  std::size_t end = text.find(kNextFile);
  Files::write(files.path(), text.substr(0, end), 0600);
  while (end != std::string_view::npos && drop_ins < kMaxDropIns) {
    text.remove_prefix(end + kNextFile.size());
    end = text.find(kNextFile);
    Files::write(files.drop_in(drop_ins++), text.substr(0, end), 0600);
  }
  const auto config = hubd::load_hub_config(files.path(), {});
  for (std::size_t i = 0; i < drop_ins; ++i) ::unlink(files.drop_in(i).c_str());
  if (!config.ok()) return require_place(config.error().text, files);
  static_cast<void>(hubd::check_servable(config.value(), config.value().listen));
  for (const hubd::Server& server : config.value().servers) {
    require(shm::valid_directory_name(server.name), "a server has a proper name");
    const shm::Rules rules = config.value().rules_for(server);
    const auto document = parse_quota_document(emit_quota_document(rules));
    require(document.ok() && document.value() == rules, "a host understands what its hub says");
  }
  for (const hubd::DirectoryEntry& entry : config.value().directories) {
    require(!entry.rule.name.empty() && entry.rule.name.size() <= shm::kMaxNameBytes,
            "a directory has a name");
    require(entry.rule.kind != shm::Kind::none, "a directory has a kind");
  }
  for (const hubd::ScraperKey& key : config.value().scraper_keys) {
    constexpr std::uint64_t kDay = 86'400'000'000'000;
    require(key.not_after_ns >= key.not_before_ns && key.not_after_ns - key.not_before_ns <= 30 * kDay,
            "a key lives for 30 days at most");
  }
}

void host(std::string_view text, const Files& files) {
  // A key file that the text names would be made: nothing outside of the input's own folder.
  if (text.find("api_key_file") != std::string_view::npos) return;
  Files::write(files.path(), text, 0600);
  relayd::RelayFlags flags;
  flags.config = files.path();
  const auto config = relayd::load_relay_config(flags);
  if (!config.ok()) return require(!config.error().text.empty(), "an error says something");
  require(shm::valid_directory_name(config.value().name), "a host has a proper name");
  const bool secret = !config.value().api_key.empty();
  for (const std::string& url : {config.value().quota_url, config.value().tunnel_url}) {
    if (secret && url.starts_with("http://"))
      require(url.find("://127.") != std::string::npos || url.find("://[::") != std::string::npos ||
                  url.find("://localhost") != std::string::npos,
              "a key leaves this host by https only");
  }
  ::chmod(files.path().c_str(), 0644);
  require(!secret || !relayd::load_relay_config(flags).ok(), "a key that others can read is refused");
}

void ingest(std::string_view text, const Files& files) {
  Files::write(files.path(), text, 0600);
  const std::string path = files.path();
  const char* const arguments[] = {"ingestd", "--config", path.c_str()};
  const ingestd::ParsedOptions parsed = ingestd::parse_options(3, arguments);
  if (parsed.exit_code) {
    require(*parsed.exit_code == 2 && parsed.text.starts_with("ingestd: " + files.folder()),
            "an error names its file");
    return;
  }
  const ingestd::Options& options = parsed.options;
  require(options.workers >= 1 && options.workers < shm::kMaxWorkers, "workers within bounds");
  require(options.limits.max_connections >= 1 && options.limits.max_buffered_bytes >= 1 << 20 &&
              options.limits.read_bytes >= 4096 && options.limits.first_command_timeout.count() >= 1,
          "limits are finite and not 0");
  require(options.unix_mode <= 0777, "a mode is a mode");
}

void info(std::string_view text, const Files& files) {
  const std::string path = files.folder() + "/mayfly.json";
  Files::write(path, text, 0644);
  const auto read = read_runtime_info(files.folder());
  require(!read.ok() || read.value().is_object(), "mayfly.json is an object");
}

void run(std::string_view bytes) {
  static const Files files;
  Input input(bytes);
  const std::uint64_t which = input.below(8);
  const std::string_view text = input.rest();
  if (which == 0) return info(text, files);
  if (which == 1) return ingest(text, files);
  if (which == 2) return host(text, files);
  hub(text, files);
}

}  // namespace mayfly::fuzz::config

MAYFLY_FUZZ_TARGET(config, mayfly::fuzz::config::run)
