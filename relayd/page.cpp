#include "relayd/page.h"

#include "common/static_assets.h"

namespace mayfly::relayd {

bool is_page_path(const HttpRequest& request) { return request.path == "/" || is_asset_path(request.path); }

void answer_page(const HttpRequest& request, ResponseWriter& response) {
  if (is_asset_path(request.path)) return send_asset(web_assets(), request, response);
  send_page(web_assets(), request, response, "host.html");
}

}  // namespace mayfly::relayd
