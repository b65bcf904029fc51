// The hub's own page for people: the list of hosts, and the views of one host below
// /frontend/servers/{name}/. It is the hub's copy, never a host's: all hosts share the hub's origin.
#pragma once

#include <functional>
#include <string>

#include "common/http_message.h"
#include "hubd/access.h"
#include "hubd/host_state.h"
#include "hubd/hub_config.h"

namespace mayfly::hubd {

/// The files of the page, which hold nothing of anybody: for whoever asks, also without a login.
bool is_page_asset(const HttpRequest& request);
void answer_page_asset(const HttpRequest& request, ResponseWriter& response);

/// GET and HEAD of /frontend/servers/.
void answer_servers_page(const HttpRequest& request, ResponseWriter& response);
/// GET and HEAD of /frontend/servers/{name}/, whose name the page reads from its address.
void answer_server_page(const HttpRequest& request, ResponseWriter& response);

/// GET of /api/v1/servers[?name=NAME], the servers that `reader` may see something of:
///   {"servers":[{"name":"web-1","display_name":"Web 1","connected":true,"last_seen":"...","version":"0.1.0",
///     "paused":false,"waiting":0,"in_flight":2}]}
/// `last_seen` null: never; `version` empty: not a Mayfly relay, or never seen. In the order of display_name.
void answer_servers(const HubConfig& config, const std::function<HostState(const std::string&)>& state_of,
                    const HttpRequest& request, ResponseWriter& response, const Reader& reader);

}  // namespace mayfly::hubd
