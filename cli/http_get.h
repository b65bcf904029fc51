// Reading through a relayd or a hub (--url), by libcurl. No redirects, no proxy towards loopback.
// $MAYFLY_API_KEY, where set, goes along as X-ApiKey, but only over https or to loopback.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "shm/result.h"

namespace mayfly::cli {

/// The body of a 200. Errors, all with the answer's own detail where there is one: not_found (404),
/// busy (429 and 5xx: another try may do), invalid (any other answer), io (no answer, or one cut off).
shm::Result<std::string> http_get(const std::string& url);

/// Each line of the body of a 200 as it comes, until the end or until `take` returns false. Sends
/// `headers` ("Name: value") too. `endless`: silence is no error; else 60 s of it are. Errors: as http_get().
shm::Status http_lines(const std::string& url, bool endless,
                       const std::function<bool(std::string_view)>& take,
                       const std::vector<std::string>& headers = {});

/// `base` (with or without a final slash) and a path that begins with one.
std::string join_url(std::string base, const std::string& path);

}  // namespace mayfly::cli
