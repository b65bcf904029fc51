#include "bench/peers/completion.h"

#include <sys/stat.h>

#include <charconv>
#include <cstdlib>
#include <string_view>

#include "bench/peers/wire.h"
#include "bench/scratch.h"

namespace mayfly::bench {

namespace {

class FileSize final : public Completion {
 public:
  explicit FileSize(std::string path) : path_(std::move(path)) {}
  std::uint64_t count() override {
    struct stat status {};
    return stat(path_.c_str(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
  }
  std::uint64_t per_record(std::uint64_t record_bytes) const override { return record_bytes; }
  std::uint32_t pause_us() const override { return 200; }

 private:
  const std::string path_;
};

class JetStream final : public Completion {
 public:
  JetStream(int port, const std::string& stream)
      : wire_(port, ""), ask_("PUB $JS.API.STREAM.INFO." + stream + " answer 0\r\n\r\n") {
    wire_.await("\r\n");
    wire_.send("CONNECT {\"verbose\":false}\r\nSUB answer 1\r\nPING\r\n");
    wire_.await("PONG\r\n");
  }
  std::uint64_t count() override {
    wire_.send(ask_);
    const auto answer = wire_.await("}\r\n");
    constexpr std::string_view kField = "\"last_seq\":";
    const auto at = answer.find(kField);
    std::uint64_t seq = 0;
    if (at == std::string::npos) give_up("no answer about the stream: " + answer);
    std::from_chars(answer.data() + at + kField.size(), answer.data() + answer.size(), seq);
    return seq;
  }
  std::uint64_t per_record(std::uint64_t /*record_bytes*/) const override { return 1; }
  std::uint32_t pause_us() const override { return 5000; }

 private:
  Wire wire_;
  const std::string ask_;
};

}  // namespace

std::unique_ptr<Completion> make_completion(const std::string& text) {
  const auto colon = text.find(':');
  const auto kind = text.substr(0, colon);
  const auto rest = colon == std::string::npos ? "" : text.substr(colon + 1);
  if (kind == "file" && !rest.empty()) return std::make_unique<FileSize>(rest);
  const auto second = rest.find(':');
  if (kind == "jetstream" && second != std::string::npos) {
    return std::make_unique<JetStream>(std::atoi(rest.c_str()), rest.substr(second + 1));
  }
  give_up("--await: file:PATH or jetstream:PORT:STREAM, not " + text);
}

}  // namespace mayfly::bench
