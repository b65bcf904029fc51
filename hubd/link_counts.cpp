#include "hubd/link_counts.h"

#include <span>
#include <string_view>

namespace mayfly::hubd {
namespace {

struct LabelledCount {
  std::string_view label;
  std::uint64_t value;
};

void add_family(std::string& out, std::string_view name, std::string_view type, std::string_view help) {
  out.append("# HELP ").append(name).append(" ").append(help).append("\n# TYPE ");
  out.append(name).append(" ").append(type).append("\n");
}

void add_labelled(std::string& out, std::string_view name, std::string_view help, std::string_view label,
                  std::span<const LabelledCount> counts) {
  add_family(out, name, "counter", help);
  for (const LabelledCount& count : counts) {
    out.append(name).append("{").append(label).append("=\"").append(count.label).append("\"} ");
    out.append(std::to_string(count.value)).append("\n");
  }
}

void add_single(std::string& out, std::string_view name, std::string_view type, std::string_view help,
                std::uint64_t value) {
  add_family(out, name, type, help);
  out.append(name).append(" ").append(std::to_string(value)).append("\n");
}

}  // namespace

void LinkCounts::render(std::string& out) const {
  const LabelledCount polls[] = {{"work", polls_with_work},
                                 {"idle", polls_idle},
                                 {"displaced", polls_displaced},
                                 {"gone", polls_gone},
                                 {"refused", polls_refused}};
  add_labelled(out, "mayfly_hub_tunnel_polls_total", "Polls of servers, by how they ended.", "end", polls);
  const LabelledCount requests[] = {{"answered", answered},   {"cut", cut},
                                    {"cancelled", cancelled}, {"timed_out", timed_out},
                                    {"broken", broken},       {"turned_away", turned_away}};
  add_labelled(out, "mayfly_hub_relayed_requests_total", "Requests for servers, by how they ended.", "end",
               requests);
  const LabelledCount refused[] = {
      {"unknown_id", unknown_ids}, {"wrong_key", wrong_keys}, {"bad_head", bad_heads}};
  add_labelled(out, "mayfly_hub_refused_responses_total", "Answers of servers that were not taken.", "cause",
               refused);
  add_single(out, "mayfly_hub_redelivered_requests_total", "counter",
             "Requests handed out again since the poll that carried them was lost.", redelivered);
  add_single(out, "mayfly_hub_relayed_bytes_total", "counter", "Bytes of bodies passed on to readers.",
             body_bytes);
  add_single(out, "mayfly_hub_tunnel_polls", "gauge", "Polls of servers that wait for work.", parked);
  add_single(out, "mayfly_hub_relayed_requests_waiting", "gauge", "Requests that wait for a server's poll.",
             waiting);
  add_single(out, "mayfly_hub_relayed_requests_in_flight", "gauge",
             "Requests handed to a server and not completely answered.", in_flight);
}

}  // namespace mayfly::hubd
