// Files of the page that are part of the program, and how they are served: with a type, an ETag, and
// compressed where the client takes it. The table itself is made from web/ when building.
//
// Thread safety: constant data and pure functions, any thread.
#pragma once

#include <span>
#include <string_view>

#include "common/http_message.h"

namespace mayfly {

struct StaticAsset {
  std::string_view name;  // "app.js"; pages end in ".html"
  std::string_view content_type;
  std::string_view hash;  // of the bytes, hexadecimal
  std::string_view bytes;
  std::string_view gzip;  // the same, compressed
};

struct StaticAssets {
  std::span<const StaticAsset> files;
  /// A hash over all of them: assets live below /assets/{version}/, so that what is there never changes.
  std::string_view version;
};

/// Every file of web/. Defined by web/, which a program links.
const StaticAssets& web_assets();

/// What a page may do: run and show what its own server sends, and talk to it; nothing inline.
inline constexpr std::string_view kPagePolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// True for paths below /assets/: send_asset() answers them.
bool is_asset_path(std::string_view path);
/// Answers GET and HEAD of /assets/{version}/{name}; 404 for another version or name.
void send_asset(const StaticAssets& assets, const HttpRequest& request, ResponseWriter& response);
/// Answers GET and HEAD with the page of that name ("host.html"), which must exist. Never cached
/// without asking again, and held to kPagePolicy.
void send_page(const StaticAssets& assets, const HttpRequest& request, ResponseWriter& response,
               std::string_view name);

}  // namespace mayfly
