#include <algorithm>
#include <cassert>

#include "common/units.h"
#include "common/yaml_file.h"

namespace mayfly {
namespace {

using shm::Result;
using shm::Status;

bool knows(const ConfigTable& table, std::string_view key) {
  return std::any_of(table.keys.begin(), table.keys.end(),
                     [&](const ConfigKey& known) { return known.name == key; });
}

std::string in_quotes(std::string_view key) { return "`" + std::string(key) + "`"; }

template <class Words, class Name>
std::string join(const Words& words, Name name) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + std::string(name(word));
  return text;
}

}  // namespace

YamlMap::YamlMap(const YamlValue& value, const ConfigTable& table) : value_(value), table_(table) {
  if (value.type != YamlValue::Type::map) {
    fail(value.place, "a map of settings (`key: value`) is needed here");
    return;
  }
  for (const YamlValue::Entry& entry : value.entries) {
    if (!knows(table, entry.key)) {
      fail(entry.key_place, "unknown key " + in_quotes(entry.key) + "; known here: " +
                                join(table.keys, [](const ConfigKey& key) { return key.name; }));
    } else if (entry.value.type == YamlValue::Type::null) {
      fail(entry.value.place,
           in_quotes(entry.key) + " has no value (null); leave the key out for its default");
    }
  }
}

const YamlValue* YamlMap::find(std::string_view key) const {
  assert(knows(table_, key));
  for (const YamlValue::Entry& entry : value_.entries) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

const YamlPlace& YamlMap::place(std::string_view key) const {
  const YamlValue* value = find(key);
  return value != nullptr ? value->place : value_.place;
}

void YamlMap::fail(const YamlPlace& place, const std::string& message) {
  if (status_.ok()) status_ = place.error(message);
}

void YamlMap::fail(const Status& status) {
  if (status_.ok()) status_ = status;
}

void YamlMap::require(std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) {
    if (find(key) == nullptr) fail(value_.place, in_quotes(key) + " is missing");
  }
}

const YamlValue* YamlMap::scalar(std::string_view key) {
  const YamlValue* value = ok() ? find(key) : nullptr;
  if (value == nullptr || value->type == YamlValue::Type::scalar) return value;
  fail(value->place, in_quotes(key) + " takes one value, not a list or a map");
  return nullptr;
}

void YamlMap::text(std::string_view key, std::string& out) {
  if (const YamlValue* value = scalar(key)) out = value->text;
}

void YamlMap::flag(std::string_view key, bool& out) {
  const YamlValue* value = scalar(key);
  if (value == nullptr) return;
  if (!value->plain || (value->text != "true" && value->text != "false")) {
    return fail(value->place, in_quotes(key) + " is either true or false");
  }
  out = value->text == "true";
}

void YamlMap::number(std::string_view key, std::uint64_t& out, Parser parse) {
  const YamlValue* value = scalar(key);
  if (value == nullptr) return;
  if (!value->plain) return fail(value->place, in_quotes(key) + ": text in quotes where a number is needed");
  const Result<std::uint64_t> parsed = parse(value->text);
  if (!parsed.ok()) return fail(value->place, in_quotes(key) + ": " + parsed.error().text);
  out = parsed.value();
}

void YamlMap::integer(std::string_view key, std::uint64_t& out, std::uint64_t min, std::uint64_t max) {
  std::uint64_t read = out;
  number(key, read, parse_integer);
  if (!ok() || find(key) == nullptr) return;
  if (read < min || read > max) {
    return fail(place(key),
                in_quotes(key) + " must be " + std::to_string(min) + " to " + std::to_string(max));
  }
  out = read;
}

void YamlMap::size(std::string_view key, std::uint64_t& out) { number(key, out, parse_size); }

void YamlMap::age(std::string_view key, std::uint64_t& out) { number(key, out, parse_age); }

void YamlMap::choice(std::string_view key, std::span<const std::string_view> words, std::size_t& out) {
  const YamlValue* value = scalar(key);
  if (value == nullptr) return;
  const auto word = std::find(words.begin(), words.end(), value->text);
  if (word == words.end()) {
    const std::string known = join(words, [](std::string_view w) { return w; });
    return fail(value->place, in_quotes(key) + " is one of: " + known);
  }
  out = static_cast<std::size_t>(word - words.begin());
}

void YamlMap::texts(std::string_view key, std::vector<std::string>& out) {
  const std::vector<YamlValue>* items = list(key);
  if (items == nullptr) return;
  std::vector<std::string> read;
  for (const YamlValue& item : *items) {
    if (item.type != YamlValue::Type::scalar) return fail(item.place, in_quotes(key) + " is a list of words");
    read.push_back(item.text);
  }
  out = std::move(read);
}

const std::vector<YamlValue>* YamlMap::list(std::string_view key) {
  const YamlValue* value = ok() ? find(key) : nullptr;
  if (value == nullptr) return nullptr;
  if (value->type == YamlValue::Type::list) return &value->items;
  fail(value->place, in_quotes(key) + " takes a list");
  return nullptr;
}

const YamlValue* YamlMap::map(std::string_view key) {
  const YamlValue* value = ok() ? find(key) : nullptr;
  if (value == nullptr) return nullptr;
  if (value->type == YamlValue::Type::map) return value;
  fail(value->place, in_quotes(key) + " takes a map");
  return nullptr;
}

}  // namespace mayfly
