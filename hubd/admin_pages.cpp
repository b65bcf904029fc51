#include "hubd/admin_pages.h"

#include <nlohmann/json.hpp>

#include "common/text.h"
#include "hubd/html.h"
#include "shm/quotas.h"

namespace mayfly::hubd {
namespace {

using nlohmann::ordered_json;

void send_json(ResponseWriter& response, const ordered_json& answer) {
  response.send(200,
                {{"Content-Type", "application/json"},
                 {"Cache-Control", "no-store"},
                 {"X-Content-Type-Options", "nosniff"}},
                answer.dump() + "\n");
}

void add_heading(Html& page, Markup title) {
  page.markup("<nav><a href=\"/frontend/servers/\">Servers</a> ")
      .markup("<a href=\"/frontend/audit_log\">Audit log</a> ")
      .markup("<a href=\"/frontend/unregistered_servers\">Unregistered servers</a></nav>\n<h1>")
      .markup(title)
      .markup("</h1>\n");
}

void add_cell(Html& page, std::string_view text) { page.markup("<td>").text(text).markup("</td>"); }

ordered_json entry_json(const AuditEntry& entry) {
  ordered_json json;
  json["time"] = format_time(entry.first_ns);
  json["last"] = format_time(entry.last_ns);
  json["times"] = entry.times;
  json["event"] = audit_event_name(entry.event);
  json["reader"] = escape_invalid_utf8(entry.reader);
  json["reader_kind"] = entry.reader_kind;
  json["address"] = escape_invalid_utf8(entry.address);
  json["server"] = escape_invalid_utf8(entry.server);
  json["method"] = escape_invalid_utf8(entry.method);
  json["path"] = escape_invalid_utf8(entry.path);
  json["status"] = entry.status;
  return json;
}

}  // namespace

void answer_audit_log(const HttpRequest& request, ResponseWriter& response,
                      const std::vector<AuditEntry>& entries) {
  if (!wants_html(request)) {
    ordered_json answer;
    answer["audit_log"] = ordered_json::array();
    for (const AuditEntry& entry : entries) answer["audit_log"].push_back(entry_json(entry));
    return send_json(response, answer);
  }
  Html page;
  add_heading(page, "Audit log");
  page.markup("<p>The last of it, newest first; in memory only, since the hub started.</p>\n")
      .markup("<div class=\"wide\"><table><thead><tr><th>Time</th><th>Event</th><th>Reader</th>")
      .markup(
          "<th>Address</th><th>Server</th><th>Path</th><th>Status</th><th>Times</th></tr></thead><tbody>\n");
  for (const AuditEntry& entry : entries) {
    page.markup("<tr>");
    add_cell(page, format_time(entry.last_ns));
    add_cell(page, audit_event_name(entry.event));
    page.markup("<td>").text(entry.reader).markup(" <small>").text(entry.reader_kind).markup("</small></td>");
    add_cell(page, entry.address);
    add_cell(page, entry.server);
    page.markup("<td>").text(entry.method).markup(" ").text(entry.path).markup("</td><td>");
    page.text(entry.status == 0 ? "-" : std::to_string(entry.status)).markup("</td><td>");
    page.number(entry.times).markup("</td></tr>\n");
  }
  page.markup("</tbody></table></div>\n");
  send_page(response, 200, "Audit log", page);
}

void answer_strangers(const HttpRequest& request, ResponseWriter& response,
                      const std::vector<KnockingStranger>& strangers) {
  if (!wants_html(request)) {
    ordered_json answer;
    answer["unregistered_servers"] = ordered_json::array();
    for (const KnockingStranger& stranger : strangers) {
      ordered_json json;
      json["name"] = escape_invalid_utf8(stranger.name);
      json["tripcode"] = stranger.tripcode;
      json["address"] = escape_invalid_utf8(stranger.address);
      json["last_seen"] = format_time(stranger.last_seen_ns);
      answer["unregistered_servers"].push_back(json);
    }
    return send_json(response, answer);
  }
  Html page;
  add_heading(page, "Unregistered servers");
  page.markup(
          "<p>Who asked for work under a name that the hub's file does not have. Compare the tripcode with ")
      .markup("what <code>relayd --print-tripcode</code> prints at that host before you let it in.</p>\n")
      .markup("<div class=\"wide\"><table><thead><tr><th>Name</th><th>Tripcode</th><th>Address</th>")
      .markup("<th>Last seen</th><th>To let it in, at the hub</th></tr></thead><tbody>\n");
  for (const KnockingStranger& stranger : strangers) {
    page.markup("<tr>");
    add_cell(page, stranger.name);
    page.markup("<td><code>").text(stranger.tripcode).markup("</code></td>");
    add_cell(page, stranger.address);
    add_cell(page, format_time(stranger.last_seen_ns));
    page.markup("<td>");
    // Only what can be pasted into a shell as it stands is offered for that.
    if (shm::valid_directory_name(stranger.name)) {
      page.markup("<code>mayfly hub add-server --config FILE ")
          .text(stranger.name)
          .markup(" --tripcode ")
          .text(stranger.tripcode)
          .markup("</code>");
    } else {
      page.markup("This name cannot be registered.");
    }
    page.markup("</td></tr>\n");
  }
  page.markup("</tbody></table></div>\n");
  if (strangers.empty()) page.markup("<p>Nobody has knocked since the hub started.</p>\n");
  send_page(response, 200, "Unregistered servers", page);
}

}  // namespace mayfly::hubd
