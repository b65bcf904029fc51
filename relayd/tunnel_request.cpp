#include "relayd/tunnel_request.h"

#include <algorithm>
#include <utility>

namespace mayfly::relayd {

std::optional<HttpRequest> to_http_request(WrappedRequest wrapped) {
  const bool visible = std::all_of(wrapped.uri.begin(), wrapped.uri.end(),
                                   [](unsigned char c) { return c > 0x20 && c < 0x7f; });
  if (wrapped.uri.empty() || wrapped.uri.front() != '/' || !visible) return std::nullopt;
  std::string target = wrapped.uri.substr(0, wrapped.uri.find('#'));
  HttpRequest request;
  request.method = std::move(wrapped.method);
  const std::size_t mark = target.find('?');
  if (mark != std::string::npos) request.query = target.substr(mark + 1);
  request.path = target.substr(0, mark);
  request.headers = std::move(wrapped.headers);
  request.peer = "tunnel";
  request.tunnelled = true;
  return request;
}

}  // namespace mayfly::relayd
