#include "common/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <optional>
#include <sstream>
#include <unordered_map>

namespace mayfly {
namespace {

using shm::Errc;
using shm::Error;
using shm::Result;

constexpr std::size_t kMaxDepth = 32;

/// Carries an Error out of the parser's call-backs.
struct Refusal {
  Error error;
};

/// The length of the UTF-8 sequence at `at`, 0 when there is none. Overlong forms, surrogates and
/// what lies beyond U+10FFFF are none.
std::size_t utf8_length(const std::string& text, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned>(static_cast<unsigned char>(text[i])) : 0u;
  };
  const unsigned first = byte(at);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xC0) != 0x80) return 0;
  }
  const unsigned second = byte(at + 1);
  if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) ||
      (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F)) {
    return 0;
  }
  return length;
}

/// The parser takes byte 4 for the end of the file and guesses at other encodings; so neither
/// control characters nor broken UTF-8 may reach it.
std::optional<Error> check_bytes(const std::string& text, YamlPlace place) {
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    const std::size_t length = utf8_length(text, i);
    if (length == 0) return place.error("a byte that is not UTF-8");
    if ((c < 0x20 && c != '\n' && c != '\t' && c != '\r') || c == 0x7F)
      return place.error("a control character");
    place.column += static_cast<int>(length);
    if (c == '\n') {
      ++place.line;
      place.column = 1;
    }
    i += length;
  }
  return {};
}

/// Builds the tree from the parser's events.
class Builder : public YAML::EventHandler {
 public:
  explicit Builder(std::shared_ptr<const YamlSource> source) : source_(std::move(source)) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0) refuse(place_of(mark), "a second document; one file holds one");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_anchor(mark, anchor);
    YamlPlace place = place_of(mark);
    // An absent value is reported where the next token stands; its key is the better place.
    if (awaiting_value() && place.line != open_.back().key_place.line) place = open_.back().key_place;
    add({YamlValue::Type::null, true, "", place, {}, {}});
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    refuse(place_of(mark), "aliases (*name) are not taken");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    add({YamlValue::Type::scalar, tag == "?", value, place_of(mark), {}, {}});
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, YamlValue::Type::list);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, YamlValue::Type::map);
  }
  void OnMapEnd() override { close(); }

  std::optional<YamlValue> take() { return std::move(root_); }

 private:
  /// A list or map that is not complete yet.
  struct Open {
    YamlValue value;
    std::optional<std::string> key;  // read, its value not yet
    YamlPlace key_place;
    std::unordered_map<std::string, YamlPlace> seen;
  };

  [[noreturn]] static void refuse(const YamlPlace& place, const std::string& message) {
    throw Refusal{place.error(message)};
  }
  void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) const {
    if (anchor != 0) refuse(place_of(mark), "anchors (&name) are not taken");
  }
  void refuse_tag(const YAML::Mark& mark, const std::string& tag) const {
    if (!tag.empty() && tag != "?" && tag != "!") refuse(place_of(mark), "tags (!name) are not taken");
  }
  YamlPlace place_of(const YAML::Mark& mark) const { return {source_, mark.line + 1, mark.column + 1}; }
  bool awaiting_value() const {
    return !open_.empty() && open_.back().value.type == YamlValue::Type::map && open_.back().key.has_value();
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YamlValue::Type type) {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    if (open_.size() >= kMaxDepth) refuse(place_of(mark), "nested too deeply");
    open_.push_back({{type, false, "", place_of(mark), {}, {}}, {}, {}, {}});
  }
  void close() {
    YamlValue value = std::move(open_.back().value);
    open_.pop_back();
    add(std::move(value));
  }
  void add(YamlValue value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return;
    }
    Open& parent = open_.back();
    if (parent.value.type == YamlValue::Type::list) {
      parent.value.items.push_back(std::move(value));
    } else if (!parent.key) {
      take_key(parent, value);
    } else {
      parent.value.entries.push_back({std::move(*parent.key), parent.key_place, std::move(value)});
      parent.key.reset();
    }
  }
  static void take_key(Open& parent, const YamlValue& key) {
    if (key.type != YamlValue::Type::scalar) refuse(key.place, "a key must be a word");
    const auto [first, is_new] = parent.seen.emplace(key.text, key.place);
    if (!is_new) refuse(key.place, "duplicate key `" + key.text + "`, first at " + first->second.text());
    parent.key = key.text;
    parent.key_place = key.place;
  }

  std::shared_ptr<const YamlSource> source_;
  std::vector<Open> open_;
  std::optional<YamlValue> root_;
  int documents_ = 0;
};

}  // namespace

Result<YamlValue> parse_yaml_tree(const std::string& text, const std::shared_ptr<const YamlSource>& source) {
  const YamlPlace start{source, 1, 1};
  if (text.size() > kMaxYamlFileBytes) return start.error("the file is larger than 16 MiB");
  if (auto error = check_bytes(text, start)) return *error;
  Builder builder(source);
  try {
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Refusal& refusal) {
    return refusal.error;
  } catch (const YAML::Exception& error) {
    // Some errors carry no place (line and column -1): the start of the file stands for it.
    return YamlPlace{source, std::max(error.mark.line, 0) + 1, std::max(error.mark.column, 0) + 1}.error(
        error.msg);
  }
  std::optional<YamlValue> root = builder.take();
  if (!root || root->type == YamlValue::Type::null) return start.error("the file is empty");
  return std::move(*root);
}

}  // namespace mayfly
