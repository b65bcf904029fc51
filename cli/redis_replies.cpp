#include "cli/redis_replies.h"

#include <algorithm>
#include <cctype>

namespace mayfly::cli {

namespace {

constexpr std::size_t kMaxKept = 4096;  // of an error's text; more of it tells nothing new

std::string first_word(std::string_view text) {
  return std::string(text.substr(0, text.find_first_of(" \r")));
}

// "-QUOTA too_many_keys ..." -> "too_many_keys"
std::string cause_of(std::string_view line) {
  constexpr std::string_view kQuota = "-QUOTA ";
  if (line.substr(0, kQuota.size()) == kQuota) return first_word(line.substr(kQuota.size()));
  auto word = first_word(line.substr(1));
  std::transform(word.begin(), word.end(), word.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return word;
}

}  // namespace

std::uint64_t RedisReplies::count(std::string_view bytes, DropMap& dropped) {
  std::uint64_t replies = 0;
  for (;;) {
    const auto end = bytes.find('\n');
    if (end == std::string_view::npos) break;
    if (kept_.empty()) {
      replies += end_line(bytes.substr(0, end), dropped);
    } else {
      kept_ += bytes.substr(0, end);
      replies += end_line(kept_, dropped);
      kept_.clear();
    }
    bytes.remove_prefix(end + 1);
  }
  if (kept_.size() < kMaxKept) kept_ += bytes.substr(0, kMaxKept);
  return replies;
}

// True when a reply ends with this line.
bool RedisReplies::end_line(std::string_view line, DropMap& dropped) {
  if (inside_bulk_) {
    inside_bulk_ = false;
    return true;
  }
  const char type = line.empty() ? '\0' : line.front();
  inside_bulk_ = type == '$';
  if (type == '-') ++dropped[cause_of(line)];
  return !inside_bulk_;
}

}  // namespace mayfly::cli
