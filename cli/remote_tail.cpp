#include "cli/remote_tail.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "cli/http_get.h"
#include "cli/output.h"
#include "cli/source.h"
#include "common/text.h"

namespace mayfly::cli {

using nlohmann::ordered_json;
using shm::Errc;

namespace {

constexpr std::chrono::milliseconds kFirstPause{250};
constexpr std::chrono::milliseconds kLongestPause{4000};
constexpr const char* kEverything = "last=18446744073709551615";

/// Errors that may be gone at another try: no connection, or an answer that asks for one.
bool may_pass_later(Errc code) { return code == Errc::io || code == Errc::busy; }

/// The text behind `name: ` where the line is that field.
std::optional<std::string_view> field_of(std::string_view line, std::string_view name) {
  if (line.substr(0, name.size()) != name || line.substr(name.size(), 1) != ":") return std::nullopt;
  line.remove_prefix(name.size() + 1);
  if (line.substr(0, 1) == " ") line.remove_prefix(1);
  return line;
}

}  // namespace

bool show_record(RecordPrinter& printer, const ordered_json& object) {
  const std::string key = exact_bytes(object, "key");
  const std::string value = exact_bytes(object, "line");
  shm::RecordView record;
  record.seq = object.value("seq", std::uint64_t{0});
  record.time_ns = parse_time(object.value("time", "")).value_or(0);
  record.key = key;
  record.value = value;
  return printer.record(record) && printer.flush();
}

bool show_gap(RecordPrinter& printer, const ordered_json& gap) {
  const auto missed = gap.find("missed");
  const bool known = missed != gap.end() && missed->is_number_unsigned();
  return printer.gap(known ? std::optional(missed->get<std::uint64_t>()) : std::nullopt,
                     gap.value("reason", "")) &&
         printer.flush();
}

RemoteTail::RemoteTail(const Globals& globals, std::string url, std::string past, std::string filter)
    : globals_(globals),
      printer_(globals),
      url_(std::move(url)),
      past_(std::move(past)),
      filter_(std::move(filter)) {}

int RemoteTail::run() {
  auto pause = kFirstPause;
  for (;;) {
    bool any = false;
    std::vector<std::string> headers;
    if (!last_id_.empty()) headers.push_back("Last-Event-ID: " + last_id_);
    const auto done = http_lines(
        address(), false,
        [&](std::string_view line) {
          any = began_ = true;
          return take(line);
        },
        headers);
    if (output_gone_) return kFailed;
    if (!done && (!began_ || !may_pass_later(done.error().code))) return complain(done.error().text);
    if (any) {
      complain((done ? "the stream ended" : done.error().text) + "; connecting again");
      pause = kFirstPause;
    }
    id_.clear(), event_.clear(), data_.clear();
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, kLongestPause);
  }
}

/// Without a place to go on from, nothing had been there: all that is by now came since.
std::string RemoteTail::address() const {
  const std::string past = began_ && last_id_.empty() ? kEverything : past_;
  std::string address = url_;
  for (const std::string& part : {past, filter_}) {
    if (!part.empty()) address += (address.find('?') == std::string::npos ? "?" : "&") + part;
  }
  return address;
}

bool RemoteTail::take(std::string_view line) {
  if (line.empty()) return dispatch();
  if (const auto id = field_of(line, "id")) id_ = *id;
  if (const auto event = field_of(line, "event")) event_ = *event;
  if (const auto data = field_of(line, "data")) data_ += *data;
  return true;
}

/// An event that was cut off is not shown, and comes again.
bool RemoteTail::dispatch() {
  if (!id_.empty()) last_id_ = std::exchange(id_, {});
  const std::string event = std::exchange(event_, {});
  const std::string data = std::exchange(data_, {});
  if (data.empty()) return true;
  const bool is_gap = event == "gap";
  if (globals_.json) {
    output_gone_ = !print_line(is_gap ? "{\"gap\":" + data + "}" : data) || !flush_output();
    return !output_gone_;
  }
  const auto object = ordered_json::parse(data, nullptr, false);
  if (!object.is_object()) return true;
  output_gone_ = !(is_gap ? show_gap(printer_, object) : show_record(printer_, object));
  return !output_gone_;
}

}  // namespace mayfly::cli
