#include "hubd/cookies.h"

#include <algorithm>

#include "common/http_host.h"

namespace mayfly::hubd {
namespace {

constexpr std::size_t kMaxPathBytes = 2048;

std::string_view without_blanks(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

std::string full_name(const HttpRequest& request, std::string_view name) {
  return (over_https(request) ? "__Host-" : "") + std::string(name);
}

/// "https://example.org:444" as "example.org:444", in lower case; "null" stays.
std::string authority_of(std::string_view origin) {
  const std::size_t mark = origin.find("://");
  std::string authority(mark == std::string_view::npos ? origin : origin.substr(mark + 3));
  std::transform(authority.begin(), authority.end(), authority.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return authority;
}

}  // namespace

bool over_https(const HttpRequest& request) {
  if (request.secure) return true;
  const std::string* forwarded = request.header("x-forwarded-proto");
  return forwarded != nullptr && *forwarded == "https";
}

std::optional<std::string> read_cookie(const HttpRequest& request, std::string_view name) {
  const std::string* header = request.header("cookie");
  if (header == nullptr) return {};
  const std::string wanted = full_name(request, name) + "=";
  std::string_view rest = *header;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(';'), rest.size());
    const std::string_view pair = without_blanks(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (pair.starts_with(wanted) && pair.size() > wanted.size())
      return std::string(pair.substr(wanted.size()));
  }
  return {};
}

std::string set_cookie(const HttpRequest& request, std::string_view name, std::string_view value,
                       std::string_view same_site) {
  std::string text = full_name(request, name);
  text.append("=").append(value).append("; Path=/; HttpOnly; SameSite=").append(same_site);
  if (over_https(request)) text += "; Secure";
  return text;
}

std::string remove_cookie(const HttpRequest& request, std::string_view name) {
  return set_cookie(request, name, "", "Lax") + "; Max-Age=0";
}

std::string own_path(std::string_view path, std::string_view fallback) {
  const auto fits = [](char c) { return c > ' ' && c < 0x7F && c != '\\'; };
  const bool own = path.starts_with('/') && !path.starts_with("//") && path.size() <= kMaxPathBytes &&
                   std::all_of(path.begin(), path.end(), fits);
  return std::string(own ? path : fallback);
}

bool from_another_site(const HttpRequest& request) {
  const std::string* site = request.header("sec-fetch-site");
  return site != nullptr && *site != "same-origin" && *site != "none";
}

bool from_another_origin(const HttpRequest& request, const std::vector<std::string>& hosts) {
  const std::string* origin = request.header("origin");
  if (origin == nullptr) return false;
  const std::string authority = authority_of(*origin);
  const std::string* host = request.header("host");
  if (host != nullptr && authority == authority_of(*host)) return false;
  const std::string name = bare_host(authority);
  return name.empty() || std::none_of(hosts.begin(), hosts.end(),
                                      [&](const std::string& known) { return bare_host(known) == name; });
}

}  // namespace mayfly::hubd
