// Drop-ins beside the hub's file: one new file each, in force only if the hub would take it.
#pragma once

#include <string>
#include <vector>

#include "shm/result.h"

namespace mayfly::cli {

struct DropIn {
  std::string name;     // of the file, without ".yaml"
  std::string content;  // YAML
  bool secret = true;   // mode 0600, else 0644; beneath root it belongs to whom FILE belongs to
};

struct AddedDropIn {
  std::string path;
  std::string note;  // what the hub says besides; empty: nothing
};

/// Writes FILE.d/NAME.yaml in one step, after `hubd --check` has taken it; FILE itself stays as it
/// is. Where FILE is refused already without it, and for the same reason, it is written and `note`
/// tells that. Errors: busy (there is such a drop-in), invalid (the hub would refuse it), not_found
/// (no FILE), io. After an error nothing has changed but that FILE.d may be there.
shm::Result<AddedDropIn> add_drop_in(const std::string& file, const DropIn& drop_in);

/// Runs `hubd --check`, found beside our own executable. Returns what it says, line ends included.
/// Errors: invalid (it refuses; the text is its reason), io (it could not be run).
shm::Result<std::string> check_hub_file(const std::string& file, const std::vector<std::string>& drop_ins);

}  // namespace mayfly::cli
