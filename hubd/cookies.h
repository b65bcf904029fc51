// The hub's cookies, and what a request says of how it came here. Pure functions.
//
// Over HTTPS their names begin with `__Host-`, which browsers only take with Secure, Path=/ and
// without Domain, and never from a neighbouring host. Plain HTTP is served on loopback alone; there
// the prefix is left out, since browsers would refuse it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/http_message.h"

namespace mayfly::hubd {

inline constexpr std::string_view kSessionCookie = "mayfly_session";
inline constexpr std::string_view kLoginCookie = "mayfly_login";  // binds a login form to its browser

/// The browser speaks HTTPS: with us, or with a proxy before us that says so in X-Forwarded-Proto.
/// Somebody who lies in that header only gets a cookie that is kept more strictly.
bool over_https(const HttpRequest& request);

/// The cookie's value as this request's way here wants it named. Empty counts as none.
std::optional<std::string> read_cookie(const HttpRequest& request, std::string_view name);

/// The value of a Set-Cookie header. `same_site`: "Lax" or "Strict". Lives until the browser ends.
std::string set_cookie(const HttpRequest& request, std::string_view name, std::string_view value,
                       std::string_view same_site);
/// The same, to remove it.
std::string remove_cookie(const HttpRequest& request, std::string_view name);

/// A path of this hub that a browser may be sent to. Anything that could lead elsewhere gives
/// `fallback`.
std::string own_path(std::string_view path, std::string_view fallback);

/// True for a request that says that a page of another origin caused it: Sec-Fetch-Site.
bool from_another_site(const HttpRequest& request);

/// True where Origin is given and is neither this Host nor one of `hosts`. For what browsers send
/// anywhere without asking, and show to the page that asked: WebSockets.
bool from_another_origin(const HttpRequest& request, const std::vector<std::string>& hosts);

}  // namespace mayfly::hubd
