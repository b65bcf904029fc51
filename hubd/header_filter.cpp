#include "hubd/header_filter.h"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <string>
#include <vector>

#include "hubd/location_filter.h"

namespace mayfly::hubd {
namespace {

using Names = std::vector<std::string_view>;

bool among(std::string_view name, const Names& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool begins_with_any(std::string_view name, const Names& starts) {
  return std::any_of(starts.begin(), starts.end(), [&](auto start) { return name.starts_with(start); });
}

bool holds_any(std::string_view name, const Names& parts) {
  return std::any_of(parts.begin(), parts.end(),
                     [&](auto part) { return name.find(part) != std::string_view::npos; });
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}

std::string_view trim_blanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Of one connection, or of a body: there is none.
const Names kHopByHop = {"connection",
                         "keep-alive",
                         "te",
                         "trailer",
                         "transfer-encoding",
                         "upgrade",
                         "expect",
                         "http2-settings",
                         "content-length",
                         "content-type",
                         "content-md5",
                         "content-encoding",
                         "content-location",
                         "content-digest",
                         "repr-digest",
                         "digest",
                         "max-forwards",
                         "origin",
                         "referer",
                         "forwarded",
                         "via",
                         "from",
                         "true-client-ip"};
// Of a proxy in front: names and addresses of readers.
const Names kPrivateStarts = {"proxy-",      "mayfly-",  "x-forwarded", "x-real-",  "x-client-",
                              "x-original-", "x-envoy-", "x-remote-",   "remote-",  "cf-",
                              "x-amz",       "x-ms-",    "x-goog-",     "sec-",     "x-cluster-",
                              "x-webauth-",  "x-ptth-",  "fastly-",     "x-azure-", "fly-"};
const Names kPrivateParts = {"auth",       "cookie",  "token",   "jwt",  "secret",  "apikey",
                             "api-key",    "api_key", "session", "csrf", "xsrf",    "assertion",
                             "credential", "passw",   "oidc",    "saml", "identity"};
// A second value does not make sense; the original keeps the first as well.
const Names kSingle = {"host",     "user-agent", "if-modified-since", "if-unmodified-since",
                       "if-range", "range",      "last-event-id",     "date"};

const Names kFromHost = {"content-type",
                         "content-encoding",
                         "content-language",
                         "content-disposition",
                         "content-range",
                         "accept-ranges",
                         "etag",
                         "last-modified",
                         "cache-control",
                         "expires",
                         "vary",
                         "retry-after",
                         "allow"};
// x-* that browsers or proxies act upon.
const Names kActiveStarts = {"x-accel-",    "x-sendfile",  "x-lighttpd-",  "x-litespeed-", "x-reproxy-",
                             "x-frame-",    "x-content-",  "x-webkit-",    "x-xss-",       "x-dns-",
                             "x-ua-",       "x-source",    "x-permitted-", "x-download-",  "x-proxy",
                             "x-forwarded", "x-original-", "x-rewrite-"};

bool goes_to_host(std::string_view name) {
  return !name.empty() && !among(name, kHopByHop) && !begins_with_any(name, kPrivateStarts) &&
         !holds_any(name, kPrivateParts);
}

bool goes_to_reader(std::string_view name, std::string_view value) {
  if (among(name, kFromHost)) return true;
  if (name == "x-accel-buffering") return value == "no";
  if (name.starts_with("mayfly-")) return true;
  return name.starts_with("x-") && !begins_with_any(name, kActiveStarts) && !holds_any(name, kPrivateParts);
}

bool has(const HttpHeaders& headers, std::string_view name) {
  return std::any_of(headers.begin(), headers.end(), [&](const auto& one) { return one.first == name; });
}

/// What Connection names besides the connection's own.
std::vector<std::string> named_by_connection(const HttpHeaders& headers) {
  std::vector<std::string> names;
  for (const auto& [name, value] : headers) {
    if (name != "connection") continue;
    std::string_view rest = value;
    while (!rest.empty()) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      names.push_back(lower(trim_blanks(rest.substr(0, comma))));
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
  }
  return names;
}

}  // namespace

HttpHeaders headers_for_host(const HttpHeaders& reader) {
  const std::vector<std::string> named = named_by_connection(reader);
  HttpHeaders out;
  for (const auto& [name, value] : reader) {
    // Host is of the message, not of the connection, whatever Connection says.
    const bool hop = name != "host" && std::find(named.begin(), named.end(), name) != named.end();
    if (hop || !goes_to_host(name)) continue;
    const auto same = [&key = name](const auto& one) { return one.first == key; };
    const auto before = std::find_if(out.begin(), out.end(), same);
    if (before == out.end()) {
      out.emplace_back(name, value);
    } else if (!among(name, kSingle)) {
      before->second += ", " + value;
    }
  }
  return out;
}

HttpHeaders headers_for_reader(const HttpHeaders& host, std::string_view path, std::string_view prefix) {
  HttpHeaders out;
  for (const auto& [as_sent, value] : host) {
    const std::string name = lower(as_sent);
    if (has(out, name)) continue;
    if (name == "location" ? location_stays(value, path, prefix) : goes_to_reader(name, value)) {
      out.emplace_back(name, value);
    }
  }
  if (!has(out, "cache-control")) out.emplace_back("cache-control", "no-store");
  out.emplace_back("Content-Security-Policy", "sandbox; default-src 'none'");
  out.emplace_back("X-Content-Type-Options", "nosniff");
  return out;
}

std::string target_for_host(std::string_view path, std::string_view query) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  constexpr std::string_view kNotInUris = "<>^`\"#";
  std::string out;
  out.reserve(path.size() + query.size() + 1);
  const auto add = [&](std::string_view text) {
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte <= 0x20 || byte >= 0x7f || kNotInUris.find(c) != std::string_view::npos) {
        out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
      } else {
        out += c;
      }
    }
  };
  add(path);
  if (!query.empty()) {
    out += '?';
    add(query);
  }
  return out;
}

}  // namespace mayfly::hubd
