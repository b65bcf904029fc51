// Which Host names a listener answers to, so that no foreign page reaches in by DNS rebinding.
// Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mayfly {

/// "Example.org.:80" as "example.org", "[::1]:80" as "::1". Empty: not a host.
std::string bare_host(std::string_view host);

/// True for loopback names and addresses, `local_address` (numeric, without a port), and `allowed`.
bool host_is_allowed(std::string_view host, std::string_view local_address,
                     const std::vector<std::string>& allowed);

}  // namespace mayfly
