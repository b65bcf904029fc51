#include "hubd/strangers.h"

#include <algorithm>

#include "common/tripcode.h"

namespace mayfly::hubd {

void Strangers::knocked(std::string_view name, std::string_view key, std::string_view address,
                        std::uint64_t wall_ns) {
  const std::string code = tripcode(key);
  const std::string_view shown = name.substr(0, kMaxNameBytes);
  const auto same = [&](const KnockingStranger& one) { return one.name == shown && one.tripcode == code; };
  const auto known = std::find_if(strangers_.begin(), strangers_.end(), same);
  if (known != strangers_.end()) {
    strangers_.splice(strangers_.begin(), strangers_, known);
  } else {
    strangers_.push_front({std::string(shown), code, {}, 0});
    if (strangers_.size() > kMaxStrangers) strangers_.pop_back();
  }
  strangers_.front().address = address;
  strangers_.front().last_seen_ns = wall_ns;
}

}  // namespace mayfly::hubd
