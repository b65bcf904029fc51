// `mayfly tail -f` through a relayd or hub: follows server-sent events, and goes on with what comes
// after the last one when the connection is lost.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "cli/command.h"
#include "cli/record_query.h"

namespace mayfly::cli {

/// Shows one object of the read API's log: a record. False once the output is gone.
bool show_record(RecordPrinter& printer, const nlohmann::ordered_json& object);
/// Shows what is under "gap". False once the output is gone.
bool show_gap(RecordPrinter& printer, const nlohmann::ordered_json& gap);

class RemoteTail {
 public:
  /// `url` names the stream, with what is wanted of the past as `past` (`last=…`, `since=…`) and what
  /// is wanted of each record as `filter` (`grep=…`), both without a separator, both may be empty.
  RemoteTail(const Globals& globals, std::string url, std::string past, std::string filter);

  /// The exit code: at an answer that another try will not change, or when the output is gone. A
  /// first connection that fails ends it too; a later one is tried again until it comes about.
  int run();

 private:
  std::string address() const;
  bool take(std::string_view line);
  bool dispatch();

  const Globals& globals_;
  RecordPrinter printer_;
  const std::string url_;
  const std::string past_;
  const std::string filter_;
  bool began_ = false;
  bool output_gone_ = false;
  std::string last_id_;
  // of the event that is being read
  std::string id_, event_, data_;
};

}  // namespace mayfly::cli
