// A request out of the tunnel, as the handlers know requests.
#pragma once

#include <optional>

#include "common/http_message.h"
#include "common/tunnel_wire.h"

namespace mayfly::relayd {

/// Nothing: its target is none (it must begin with '/', and have visible ASCII only).
std::optional<HttpRequest> to_http_request(WrappedRequest wrapped);

}  // namespace mayfly::relayd
