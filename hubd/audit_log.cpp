#include "hubd/audit_log.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace mayfly::hubd {
namespace {

void cut(std::string& text) {
  if (text.size() <= AuditLog::kMaxTextBytes) return;
  text.resize(AuditLog::kMaxTextBytes);
  text += "...";
}

}  // namespace

std::string_view audit_event_name(AuditEntry::Event event) {
  switch (event) {
    case AuditEntry::Event::started:
      return "started";
    case AuditEntry::Event::read:
      return "read";
    case AuditEntry::Event::login:
      return "login";
    case AuditEntry::Event::login_failed:
      return "login_failed";
    case AuditEntry::Event::login_limited:
      return "login_limited";
    case AuditEntry::Event::logout:
      return "logout";
    case AuditEntry::Event::key_refused:
      return "key_refused";
    case AuditEntry::Event::cut_off:
      return "cut_off";
  }
  return "unknown";
}

void AuditLog::add(AuditEntry entry) {
  for (std::string* text : {&entry.reader, &entry.address, &entry.server, &entry.method, &entry.path}) {
    cut(*text);
  }
  entry.last_ns = entry.first_ns;
  entry.times = 1;
  Ring& ring = entry.event == AuditEntry::Event::read ? reads_ : arrivals_;
  ring.add(std::move(entry));
}

void AuditLog::Ring::add(AuditEntry entry) {
  std::string text = text_of(entry);
  if (const auto known = by_text.find(text); known != by_text.end()) {
    const auto at = known->second;
    // A clock that was set back starts a new entry too.
    if (entry.first_ns >= at->first_ns && entry.first_ns - at->first_ns < kOneEntryNs) {
      at->last_ns = std::max(at->last_ns, entry.first_ns);
      ++at->times;
      entries.splice(entries.begin(), entries, at);
      return;
    }
  }
  entries.push_front(std::move(entry));
  by_text[std::move(text)] = entries.begin();
  if (entries.size() <= limit) return;
  const auto oldest = std::prev(entries.end());
  const auto its = by_text.find(text_of(*oldest));
  if (its != by_text.end() && its->second == oldest) by_text.erase(its);
  entries.pop_back();
}

std::vector<AuditEntry> AuditLog::newest_first() const {
  std::vector<AuditEntry> all(reads_.entries.begin(), reads_.entries.end());
  all.insert(all.end(), arrivals_.entries.begin(), arrivals_.entries.end());
  std::stable_sort(all.begin(), all.end(),
                   [](const AuditEntry& a, const AuditEntry& b) { return a.last_ns > b.last_ns; });
  return all;
}

std::string AuditLog::text_of(const AuditEntry& entry) {
  std::string text = std::to_string(static_cast<int>(entry.event)) + " " + std::to_string(entry.status);
  for (const std::string* part :
       {&entry.reader_kind, &entry.reader, &entry.address, &entry.server, &entry.method, &entry.path}) {
    text += '\n' + *part;
  }
  return text;
}

}  // namespace mayfly::hubd
