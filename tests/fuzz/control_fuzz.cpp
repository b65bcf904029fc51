// A hostile control segment, as a file: ingestd's reader and relayd's writer end, stay within the memory,
// and take nothing for rules that cannot be rules. An input is a list of edits, then whether the
// checksums are made right afterwards.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <memory>

#include "shm/control.h"
#include "shm/control_layout.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/target.h"

namespace mayfly::fuzz::control {

using namespace mayfly::shm;  // NOLINT(google-build-using-namespace)

constexpr std::size_t kCopyAt[] = {sizeof(ControlHeader), sizeof(ControlHeader) + sizeof(ControlCopy)};
// Beyond these no rule of the image stands; the rest of 2 MiB would only dilute the edits.
constexpr std::size_t kEditedRules = 5;
constexpr std::size_t kEditedBytes = offsetof(ControlCopy, rules) + kEditedRules * sizeof(ControlRule);

Rules some_rules(const char* version, int more) {
  Rules rules;
  rules.version = version;
  for (int i = 0; i < 2 + more; ++i) {
    Rule rule;
    rule.kind = i % 2 == 0 ? Kind::log : Kind::status;
    rule.pattern = i > 1;
    rule.name = (i > 1 ? "app-*" : "demo") + std::to_string(i);
    rules.rules.push_back(rule);
  }
  return rules;
}

/// The file, mapped by nobody between two inputs.
class ControlFile {
 public:
  ControlFile() : folder_("/dev/shm/mayfly-fuzz-XXXXXX") {
    require(::mkdtemp(folder_.data()) != nullptr, "a directory in /dev/shm");
    {
      auto writer = open();
      require(writer.ok() && writer.value()->publish(some_rules("one", 1)).ok() &&
                  writer.value()->publish(some_rules("two", 2)).ok(),
              "a control segment");
    }
    image_.resize(kControlBytes / 8);
    const int fd = ::open(path().c_str(), O_RDONLY | O_CLOEXEC);
    require(::read(fd, image_.data(), kControlBytes) == static_cast<ssize_t>(kControlBytes), "its bytes");
    ::close(fd);
    reinterpret_cast<HeaderConstants*>(image_.data())->instance = 4711;  // drawn at random
    pristine_ = image_;
  }
  ~ControlFile() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  std::string path() const { return folder_ + "/control"; }
  /// The file's words, to be edited where restore() puts them back: in its header, and in both copies up to
  /// kEditedBytes. All else is zeros.
  std::vector<Word>& image() { return image_; }
  void restore() {
    each_part(kControlBytes, [&](std::size_t at, std::size_t length) {
      std::memcpy(image_.data() + at / 8, pristine_.data() + at / 8, length);
    });
  }
  /// The file becomes the image, cut to `bytes`.
  void write(std::size_t bytes) const {
    const int fd = ::open(path().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
    require(fd >= 0 && ::ftruncate(fd, static_cast<off_t>(bytes)) == 0, "a file");
    each_part(bytes, [&](std::size_t at, std::size_t length) {
      const char* from = reinterpret_cast<const char*>(image_.data()) + at;
      require(::pwrite(fd, from, length, static_cast<off_t>(at)) == static_cast<ssize_t>(length), "a write");
    });
    ::close(fd);
  }
  Result<std::unique_ptr<ControlWriter>> open() const {
    ControlOptions options;
    options.path = path();
    return ControlWriter::open(options);
  }

 private:
  template <class Body>
  static void each_part(std::size_t end, Body body) {
    const std::size_t parts[][2] = {
        {0, sizeof(ControlHeader)}, {kCopyAt[0], kEditedBytes}, {kCopyAt[1], kEditedBytes}};
    for (const auto& [at, length] : parts) {
      if (at < end) body(at, std::min(length, end - at));
    }
  }

  std::string folder_;
  std::vector<Word> image_;
  std::vector<Word> pristine_;
};

void seal(std::vector<Word>& image, std::uint8_t how) {
  for (int i = 0; i < 2; ++i) {
    auto& copy = *reinterpret_cast<ControlCopy*>(image.data() + kCopyAt[i] / 8);
    if ((how >> i & 1) != 0 || copy.rule_count > kMaxRules) continue;
    const std::size_t bytes = offsetof(ControlCopy, rules) + copy.rule_count * sizeof(ControlRule);
    copy.checksum = XXH3_64bits(reinterpret_cast<const char*>(&copy) + sizeof copy.checksum,
                                bytes - sizeof copy.checksum);
  }
  auto& constants = *reinterpret_cast<HeaderConstants*>(image.data());
  if ((how >> 2 & 1) == 0) constants.checksum = XXH3_64bits(&constants, offsetof(HeaderConstants, checksum));
}

void edit(std::vector<Word>& image, Input& input) {
  while (!input.empty()) {
    const std::uint64_t part = input.below(4);
    const std::size_t first = part == 0 || part == 1 ? 0 : kCopyAt[part - 2] / 8;
    const std::size_t count = part == 0 ? 32 : part == 1 ? sizeof(ControlHeader) / 8 : kEditedBytes / 8;
    Word& word = image[first + input.below(count)];
    switch (input.below(4)) {
      case 0:
        word = input.number(8);
        break;
      case 1:
        word ^= Word{1} << input.below(64);
        break;
      case 2:
        word = input.byte();
        break;
      default:
        word += static_cast<Word>(static_cast<std::int8_t>(input.byte()));
    }
  }
}

void check(const ControlState& state) {
  require(state.rules.has_value() == (state.serial != 0), "rules from the first serial on");
  if (!state.rules) return;
  require(state.rules->rules.size() <= kMaxRules && state.rules->version.size() <= kMaxVersionBytes,
          "no more rules, and no longer a version, than fit");
  for (const Rule& rule : state.rules->rules) {
    require(!rule.name.empty() && rule.name.size() <= kMaxNameBytes, "a rule has a name");
    require(rule.kind == Kind::log || rule.kind == Kind::status, "a rule has a kind");
  }
}

void run(std::string_view bytes) {
  static ControlFile file;
  Input input(bytes);
  const std::uint8_t how = input.byte();
  const std::size_t length = (how & 8) != 0 ? input.number(3) % (kControlBytes + 64) : kControlBytes;
  file.restore();
  edit(file.image(), input);
  seal(file.image(), how);
  file.write(length);
  if (const auto reader = ControlReader::open(file.path())) {
    if (const auto state = reader.value()->state()) check(state.value());
    static_cast<void>(reader.value()->waiting());
    require(!reader.value()->replaced(), "the same file");
  }
  if ((how & 16) == 0) return;
  const auto writer = file.open();
  require(writer.ok(), "relayd always gets a control segment");
  check(writer.value()->state());
  require(writer.value()->publish(some_rules("three", 3)).ok(), "what was taken over takes rules");
  const ControlState state = writer.value()->state();
  require(state.rules && state.rules->version == "three" && state.rules->rules.size() == 5,
          "the rules published last are in force");
}

}  // namespace mayfly::fuzz::control

MAYFLY_FUZZ_TARGET(control, mayfly::fuzz::control::run)
