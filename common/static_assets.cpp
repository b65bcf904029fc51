#include "common/static_assets.h"

#include <string>

#include "common/http_negotiation.h"

namespace mayfly {
namespace {

constexpr std::string_view kAssetRoot = "/assets/";

const StaticAsset* find_asset(const StaticAssets& assets, std::string_view name) {
  for (const StaticAsset& asset : assets.files) {
    if (asset.name == name) return &asset;
  }
  return nullptr;
}

bool is_page(const StaticAsset& asset) { return asset.name.ends_with(".html"); }

/// 200 or 304. The two encodings are different bytes, and so have different tags.
void send_bytes(const HttpRequest& request, ResponseWriter& response, const StaticAsset& asset,
                HttpHeaders headers) {
  const bool gzip = encoding_weight(request.header("accept-encoding"), "gzip") > 0;
  const std::string etag = "\"" + std::string(asset.hash) + (gzip ? "-gzip\"" : "\"");
  headers.emplace_back("ETag", etag);
  headers.emplace_back("Vary", "Accept-Encoding");
  headers.emplace_back("X-Content-Type-Options", "nosniff");
  headers.emplace_back("Cross-Origin-Resource-Policy", "same-origin");
  if (matches_etag(request.header("if-none-match"), etag)) return response.send(304, headers, {});
  headers.emplace_back("Content-Type", std::string(asset.content_type));
  if (gzip) headers.emplace_back("Content-Encoding", "gzip");
  response.send(200, headers, gzip ? asset.gzip : asset.bytes);
}

}  // namespace

bool is_asset_path(std::string_view path) { return path.starts_with(kAssetRoot); }

void send_asset(const StaticAssets& assets, const HttpRequest& request, ResponseWriter& response) {
  std::string_view rest = request.path;
  rest.remove_prefix(kAssetRoot.size());
  const std::size_t slash = rest.find('/');
  const bool current = rest.substr(0, slash) == assets.version && slash != std::string_view::npos;
  const StaticAsset* asset = current ? find_asset(assets, rest.substr(slash + 1)) : nullptr;
  if (asset == nullptr || is_page(*asset)) {
    return send_problem(response, 404, "no_such_asset",
                        "no such file; a page of another version asks for it");
  }
  send_bytes(request, response, *asset, {{"Cache-Control", "public, max-age=31536000, immutable"}});
}

void send_page(const StaticAssets& assets, const HttpRequest& request, ResponseWriter& response,
               std::string_view name) {
  send_bytes(request, response, *find_asset(assets, name),
             {{"Cache-Control", "no-cache"},
              {"Content-Security-Policy", std::string(kPagePolicy)},
              {"Cross-Origin-Opener-Policy", "same-origin"},
              {"Referrer-Policy", "same-origin"}});
}

}  // namespace mayfly
