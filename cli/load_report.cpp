// What a load comes to, for programs and for people.
#include <cinttypes>
#include <cstdio>

#include "cli/load_run.h"

namespace mayfly::cli {

using nlohmann::ordered_json;

namespace {

double per_second(std::uint64_t count, double seconds) {
  return seconds > 0 ? static_cast<double>(count) / seconds : 0;
}

double in_microseconds(std::uint64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1000; }

template <class... Values>
std::string formatted(const char* format, Values... values) {
  char text[512];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

std::string_view dialect_name(Dialect dialect) {
  return dialect == Dialect::resp ? "resp" : dialect == Dialect::line ? "inline" : "redis";
}

std::string limit_lines(const LoadShares& shares) {
  auto text = "limited by " + std::string(limit_text(find_limit(shares))) + "\n";
  text += formatted("           this program was busy %.0f %% of the time and waited %.0f %%",
                    100 * shares.sender, 100 * shares.waited);
  if (shares.server) text += formatted("; the server used %.2f processors", *shares.server);
  return text + "\n";
}

}  // namespace

ordered_json load_json(const LoadPlan& plan, const LoadResult& result) {
  const auto& counts = result.effort.counts;
  const auto seconds = result.effort.seconds;
  const auto shares = result.shares(plan);
  ordered_json json;
  json["kind"] = shm::kind_name(plan.kind);
  json["connections"] = plan.connections;
  json["keys"] = plan.keys;
  json["directories"] = plan.directories;
  json["size"] = plan.value_bytes;
  json["dialect"] = dialect_name(plan.dialect);
  json["batch"] = plan.batch_bytes;
  json["threads"] = std::min(plan.threads, plan.connections);
  json["seconds"] = seconds;
  json["sent"] = counts.sent;
  json["stored"] = result.stored();
  json["dropped"] = counts.dropped;
  json["unknown"] = counts.unknown;
  json["accounted"] = result.accounted();
  json["stored_in_segment"] = result.stored_seen ? ordered_json(*result.stored_seen) : ordered_json(nullptr);
  json["lost_connections"] = counts.breaks;
  json["records_per_second"] = per_second(counts.sent, seconds);
  json["mb_per_second"] = per_second(counts.bytes, seconds) / 1e6;
  json["server_cpu_ns_per_record"] =
      result.server_ns && counts.sent > 0
          ? ordered_json(static_cast<double>(*result.server_ns) / static_cast<double>(counts.sent))
          : ordered_json(nullptr);
  json["limited_by"] = limit_name(find_limit(shares));
  json["shares"] = {{"this_program", shares.sender},
                    {"waited", shares.waited},
                    {"server", shares.server ? ordered_json(*shares.server) : ordered_json(nullptr)}};
  const auto& visible = result.visible;
  json["visible_us"] = {{"samples", visible.samples},
                        {"p50", in_microseconds(visible.p50)},
                        {"p90", in_microseconds(visible.p90)},
                        {"p99", in_microseconds(visible.p99)},
                        {"max", in_microseconds(visible.max)}};
  return json;
}

std::string load_text(const LoadPlan& plan, const LoadResult& result) {
  const auto& counts = result.effort.counts;
  const auto seconds = result.effort.seconds;
  std::string text = formatted("sent       %" PRIu64 " %s records in %.2f s: %.0f records/s, %.1f MB/s\n",
                               counts.sent, std::string(shm::kind_name(plan.kind)).c_str(), seconds,
                               per_second(counts.sent, seconds), per_second(counts.bytes, seconds) / 1e6);
  text += formatted("stored     %" PRIu64 "\n", result.stored());
  text += formatted("dropped    %" PRIu64, counts.dropped_total());
  for (const auto& [cause, count] : counts.dropped) {
    if (count > 0) text += " " + cause + "=" + std::to_string(count);
  }
  text +=
      formatted("\nunknown    %" PRIu64 ", lost connections %" PRIu64 "\n", counts.unknown, counts.breaks);
  text += std::string("accounted  ") + (result.accounted() ? "yes" : "NO") + "\n";
  if (result.server_ns && counts.sent > 0) {
    text += formatted("server     %.0f ns of processor time a record\n",
                      static_cast<double>(*result.server_ns) / static_cast<double>(counts.sent));
  }
  text += limit_lines(result.shares(plan));
  const auto& visible = result.visible;
  if (visible.samples > 0) {
    text += formatted("visible    p50 %.0f us, p90 %.0f us, p99 %.0f us, max %.0f us (%" PRIu64 " samples)\n",
                      in_microseconds(visible.p50), in_microseconds(visible.p90),
                      in_microseconds(visible.p99), in_microseconds(visible.max), visible.samples);
  }
  return text;
}

}  // namespace mayfly::cli
