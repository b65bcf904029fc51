#include "hubd/access_counts.h"

#include <initializer_list>
#include <string_view>

namespace mayfly::hubd {
namespace {

struct AccessSample {
  std::string_view labels;  // with braces; empty: none
  std::uint64_t value;
};

void access_family(std::string& out, std::string_view name, std::string_view type, std::string_view help,
                   std::initializer_list<AccessSample> samples) {
  out.append("# HELP ").append(name).append(" ").append(help).append("\n# TYPE ");
  out.append(name).append(" ").append(type).append("\n");
  for (const AccessSample& sample : samples) {
    out.append(name).append(sample.labels).append(" ").append(std::to_string(sample.value)).append("\n");
  }
}

}  // namespace

void AccessCounts::render(std::string& out) const {
  access_family(out, "mayfly_hub_logins_total", "counter", "Tries to log in, by how they ended.",
                {{"{result=\"ok\"}", logins},
                 {"{result=\"wrong_password\"}", wrong_passwords},
                 {"{result=\"too_many_tries\"}", limited_logins},
                 {"{result=\"busy\"}", busy_logins},
                 {"{result=\"no_token\"}", logins_unproven},
                 {"{result=\"malformed\"}", logins_malformed}});
  access_family(out, "mayfly_hub_logouts_total", "counter", "Sessions ended by their owners.",
                {{"", logouts}});
  access_family(out, "mayfly_hub_reads_total", "counter", "Requests that read, by how they were decided.",
                {{"{result=\"admitted\"}", admitted},
                 {"{result=\"no_login\"}", without_login},
                 {"{result=\"wrong_key\"}", wrong_keys},
                 {"{result=\"too_many_keys\"}", limited_keys},
                 {"{result=\"no_right\"}", without_right},
                 {"{result=\"other_origin\"}", other_origins}});
  access_family(out, "mayfly_hub_reads_cut_off_total", "counter",
                "Open answers that ended since their reader lost the right.", {{"", cut_off}});
  access_family(out, "mayfly_hub_sessions", "gauge", "People logged in.", {{"", sessions}});
  access_family(out, "mayfly_hub_open_reads", "gauge", "Answers that readers have open.", {{"", open_reads}});
}

}  // namespace mayfly::hubd
