// What only administrators see: who read what, and who knocks under a name that the file lacks.
// As a page for browsers, as JSON for everybody else. Pure rendering; the gate decides who comes here.
#pragma once

#include <vector>

#include "common/http_message.h"
#include "hubd/audit_log.h"
#include "hubd/host_links.h"

namespace mayfly::hubd {

/// {"audit_log":[{"time":...,"last":...,"times":2,"event":"read","reader":...,...}]}, newest first.
void answer_audit_log(const HttpRequest& request, ResponseWriter& response,
                      const std::vector<AuditEntry>& entries);

/// {"unregistered_servers":[{"name":...,"tripcode":...,"address":...,"last_seen":...}]}.
void answer_strangers(const HttpRequest& request, ResponseWriter& response,
                      const std::vector<KnockingStranger>& strangers);

}  // namespace mayfly::hubd
