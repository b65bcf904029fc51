// docs/configuration.md and the programs name the same keys, in the same words; the examples of the
// pages are accepted by the code.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "common/quota_document.h"
#include "hubd/hub_config.h"
#include "hubd/hub_keys.h"
#include "ingestd/options.h"
#include "relayd/relay_config.h"

namespace mayfly {
namespace {

using Rows = std::vector<std::string>;

std::string page(const std::string& name) {
  std::ifstream file(std::string(MAYFLY_DOCS_DIR) + "/" + name);
  EXPECT_TRUE(file.is_open()) << name;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// The rows of each table below a heading "### `name`", without its two head lines.
std::map<std::string, Rows> documented() {
  std::map<std::string, Rows> tables;
  std::istringstream lines(page("configuration.md"));
  std::string name;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("#")) name = line.starts_with("### `") ? line.substr(5, line.rfind('`') - 5) : "";
    if (!name.empty() && line.starts_with("| `")) tables[name].push_back(line);
  }
  return tables;
}

Rows known(const ConfigTable& table) {
  Rows rows;
  for (const ConfigKey& key : table.keys) {
    std::string row = "| `" + std::string(key.name) + "`";
    for (const std::string_view cell : {key.form, key.fallback, key.meaning})
      row += " | " + std::string(cell);
    rows.push_back(row + " |");
  }
  return rows;
}

TEST(ConfigReference, HasEveryKeyOfEveryFileAndNoOther) {
  std::map<std::string, Rows> expected;
  for (const ConfigTable* table : hubd::hub_config_tables())
    expected[std::string(table->path)] = known(*table);
  expected[std::string(ingestd::config_table().path)] = known(ingestd::config_table());
  for (const ConfigTable* table : relayd::relay_config_tables())
    expected[std::string(table->path)] = known(*table);
  const std::map<std::string, Rows> tables = documented();
  for (const auto& [name, rows] : expected) {
    ASSERT_TRUE(tables.contains(name)) << name;
    EXPECT_EQ(tables.at(name), rows) << name;
  }
  EXPECT_EQ(tables.size(), expected.size());
}

/// The first fenced block of that language.
std::string block(const std::string& text, const std::string& language) {
  const std::size_t begin = text.find("```" + language + "\n") + language.size() + 4;
  return text.substr(begin, text.find("```", begin) - begin);
}

TEST(ConfigReference, TheExampleOfAHubFileIsOne) {
  const auto config = hubd::parse_hub_config(block(page("configuration.md"), "yaml"), "example", {});
  ASSERT_TRUE(config.ok()) << config.error().text;
  EXPECT_EQ(config.value().directories.size(), 3u);
}

TEST(ConfigReference, TheExampleOfAQuotaDocumentIsOne) {
  const auto rules = parse_quota_document(block(page("quota-protocol.md"), "json"));
  ASSERT_TRUE(rules.ok()) << rules.error().text;
  std::string shown = block(page("quota-protocol.md"), "json");
  std::erase_if(shown, [](char c) { return c == ' ' || c == '\n'; });
  EXPECT_EQ(emit_quota_document(rules.value()), shown);
}

}  // namespace
}  // namespace mayfly
