// Reading through a relayd or a hub (--url), by libcurl. No redirects, no proxy towards loopback.
// $MAYFLY_API_KEY, where set, goes along as X-ApiKey, but only over https or to loopback.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "shm/result.h"

namespace mayfly::cli {

/// The body of a 200. Errors: not_found (404), io (anything else, with the answer's own detail).
shm::Result<std::string> http_get(const std::string& url);

/// Each line of the body of a 200 as it comes, until the end or until `take` returns false.
/// `endless`: no time limit, and silence is no error. Errors: as http_get().
shm::Status http_lines(const std::string& url, bool endless,
                       const std::function<bool(std::string_view)>& take);

/// `base` (with or without a final slash) and a path that begins with one.
std::string join_url(std::string base, const std::string& path);

}  // namespace mayfly::cli
