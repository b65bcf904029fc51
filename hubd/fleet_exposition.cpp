#include "hubd/fleet_exposition.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "hubd/exposition.h"

namespace mayfly::hubd {
namespace {

struct FleetSample {
  std::size_t host;
  ExposedSample sample;
};

struct FleetFamily {
  std::string type;
  std::string help;
  std::vector<FleetSample> samples;
};

using FleetFamilies = std::map<std::string, FleetFamily>;

bool is_reserved(std::string_view name) {
  return name.starts_with("mayfly_host_") || name.starts_with("mayfly_hub_") || name.starts_with("scrape_") ||
         name.starts_with("ALERTS") || name == "up";
}

/// False: it has both names.
bool rename_server(ExposedSample& sample) {
  const auto find = [&](std::string_view name) {
    return std::find_if(sample.labels.begin(), sample.labels.end(),
                        [name](const auto& label) { return label.first == name; });
  };
  const auto server = find("server");
  if (server == sample.labels.end()) return true;
  if (find("exported_server") != sample.labels.end()) return false;
  server->first = "exported_server";
  return true;
}

/// Adds what a host says; how many lines of it were dropped.
std::size_t add_host(FleetFamilies& families, const HostMetrics& host, std::size_t at) {
  if (host.status != 200) return 0;
  Exposition read = parse_exposition(host.body, host.complete);
  for (ExposedFamily& family : read.families) {
    if (family.samples.empty()) continue;
    if (is_reserved(family.name)) {
      read.dropped += family.samples.size();
      continue;
    }
    auto [known, fresh] = families.try_emplace(family.name, FleetFamily{family.type, family.help, {}});
    if (!fresh && known->second.type != family.type) known->second.type = "untyped";
    for (ExposedSample& sample : family.samples) {
      if (rename_server(sample)) {
        known->second.samples.push_back({at, std::move(sample)});
      } else {
        ++read.dropped;
      }
    }
  }
  return read.dropped;
}

class ExpositionWriter {
 public:
  explicit ExpositionWriter(bool open_metrics) : open_metrics_(open_metrics) {}

  void family(const std::string& name, std::string_view type, std::string_view help) {
    std::string shown = name;
    if (open_metrics_ && type == "counter") {
      // The family of x_total is x there.
      if (name.ends_with("_total")) {
        shown.resize(shown.size() - std::string_view("_total").size());
      } else {
        type = "unknown";
      }
    }
    if (open_metrics_ && type == "untyped") type = "unknown";
    out_.append("# HELP ").append(shown).append(" ");
    append_help(help);
    out_.append("\n# TYPE ").append(shown).append(" ").append(type).append("\n");
  }

  void sample(std::string_view name, std::string_view server, const ExposedSample* sample,
              std::string_view value) {
    out_.append(name).append("{server=\"").append(escape_label_value(server)).append("\"");
    if (sample != nullptr) {
      for (const auto& [label, text] : sample->labels) {
        out_.append(",").append(label).append("=\"").append(escape_label_value(text)).append("\"");
      }
    }
    out_.append("} ").append(value).append("\n");
  }

  std::string take() {
    if (open_metrics_) out_.append("# EOF\n");
    return std::move(out_);
  }

 private:
  void append_help(std::string_view help) {
    for (const char c : help) {
      if (c == '\\' || (open_metrics_ && c == '"')) out_ += '\\';
      if (c == '\n') {
        out_ += "\\n";
      } else {
        out_ += c;
      }
    }
  }

  bool open_metrics_;
  std::string out_;
};

/// In OpenMetrics a counter x_total is the family x: one that is there already goes before.
void settle_names(FleetFamilies& families) {
  for (auto& [name, family] : families) {
    if (family.type != "counter" || !name.ends_with("_total")) continue;
    if (families.contains(name.substr(0, name.size() - std::string_view("_total").size()))) {
      family.type = "untyped";
    }
  }
}

/// Seconds since 1970 with their fraction, exactly.
std::string seconds_text(std::uint64_t ns) {
  std::string fraction = std::to_string(1'000'000'000 + ns % 1'000'000'000).substr(1);
  return std::to_string(ns / 1'000'000'000) + "." + fraction;
}

void write_hosts(ExpositionWriter& writer, const std::vector<HostMetrics>& hosts,
                 const std::vector<std::size_t>& dropped) {
  writer.family("mayfly_host_up", "gauge", "1: the host answered this scrape.");
  for (const HostMetrics& host : hosts) {
    writer.sample("mayfly_host_up", host.server, nullptr, host.up ? "1" : "0");
  }
  writer.family("mayfly_host_last_seen_timestamp_seconds", "gauge", "When the host last asked for work.");
  for (const HostMetrics& host : hosts) {
    if (!host.last_seen_ns) continue;
    writer.sample("mayfly_host_last_seen_timestamp_seconds", host.server, nullptr,
                  seconds_text(*host.last_seen_ns));
  }
  writer.family("mayfly_host_scrape_status", "gauge", "HTTP status of the host's metrics; 0: no answer.");
  for (const HostMetrics& host : hosts) {
    writer.sample("mayfly_host_scrape_status", host.server, nullptr, std::to_string(host.status));
  }
  writer.family("mayfly_host_scrape_truncated", "gauge", "1: the host's metrics were too large and cut.");
  for (const HostMetrics& host : hosts) {
    const bool cut = host.status == 200 && !host.complete;
    writer.sample("mayfly_host_scrape_truncated", host.server, nullptr, cut ? "1" : "0");
  }
  writer.family("mayfly_host_scrape_dropped_lines", "gauge",
                "Lines of the host's metrics that were malformed, double, or not its own to give.");
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    writer.sample("mayfly_host_scrape_dropped_lines", hosts[i].server, nullptr, std::to_string(dropped[i]));
  }
}

}  // namespace

std::string fleet_exposition(const std::vector<HostMetrics>& hosts, bool open_metrics) {
  FleetFamilies families;
  std::vector<std::size_t> dropped;
  for (std::size_t i = 0; i < hosts.size(); ++i) dropped.push_back(add_host(families, hosts[i], i));
  if (open_metrics) settle_names(families);
  ExpositionWriter writer(open_metrics);
  for (const auto& [name, family] : families) {
    writer.family(name, family.type, family.help);
    for (const FleetSample& one : family.samples) {
      writer.sample(one.sample.name, hosts[one.host].server, &one.sample, one.sample.value);
    }
  }
  write_hosts(writer, hosts, dropped);
  return writer.take();
}

}  // namespace mayfly::hubd
