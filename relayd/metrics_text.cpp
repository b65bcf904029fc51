#include "relayd/metrics_text.h"

namespace mayfly::relayd {
namespace {

void append_label_value(std::string& out, std::string_view value) {
  for (const char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
}

}  // namespace

void MetricsText::family(std::string_view name, std::string_view type, std::string_view help) {
  name_ = name;
  constexpr std::string_view kTotal = "_total";
  // OpenMetrics names the family without the suffix of its samples.
  if (format_ == MetricsFormat::open_metrics && type == "counter") name.remove_suffix(kTotal.size());
  out_ += "# HELP ";
  out_ += name;
  out_ += ' ';
  out_ += help;
  out_ += "\n# TYPE ";
  out_ += name;
  out_ += ' ';
  out_ += type;
  out_ += '\n';
}

void MetricsText::counter(std::string_view name, std::string_view help) { family(name, "counter", help); }

void MetricsText::gauge(std::string_view name, std::string_view help) { family(name, "gauge", help); }

void MetricsText::sample(Labels labels, std::uint64_t value) { sample(labels, std::to_string(value)); }

void MetricsText::sample(Labels labels, std::string_view value) {
  out_ += name_;
  char before = '{';
  for (const auto& [name, text] : labels) {
    out_ += before;
    out_ += name;
    out_ += "=\"";
    append_label_value(out_, text);
    out_ += '"';
    before = ',';
  }
  if (before == ',') out_ += '}';
  out_ += ' ';
  out_ += value;
  out_ += '\n';
}

std::string MetricsText::finish() {
  if (format_ == MetricsFormat::open_metrics) out_ += "# EOF\n";
  return std::move(out_);
}

}  // namespace mayfly::relayd
