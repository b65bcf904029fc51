#include "hubd/html.h"

#include <openssl/evp.h>

#include "common/text.h"

namespace mayfly::hubd {
namespace {

constexpr Markup kStyle =
    ":root{color-scheme:light dark}"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:75rem;margin:2rem auto;padding:0 1rem}"
    "form.login{display:grid;gap:.75rem;max-width:20rem;margin-top:1.5rem}"
    "label{display:grid;gap:.25rem}"
    "input,button{font:inherit;padding:.4rem .6rem}"
    "nav{display:flex;gap:1rem;flex-wrap:wrap;align-items:center}"
    ".wide{overflow-x:auto}"
    "table{border-collapse:collapse;font-size:.9rem}"
    "th,td{text-align:left;padding:.3rem .8rem .3rem 0;border-bottom:1px solid #8886;vertical-align:top}"
    "td{overflow-wrap:anywhere}"
    "code,pre{font-family:ui-monospace,monospace}"
    ".problem{border-left:.3rem solid #c33;padding-left:.6rem}";

/// The policy's name for kStyle, so that no other style counts.
std::string style_hash() {
  unsigned char hash[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  const std::string_view style = kStyle.text();
  if (EVP_Digest(style.data(), style.size(), hash, &size, EVP_sha256(), nullptr) != 1) return "'none'";
  return "'sha256-" + base64_encode({reinterpret_cast<const char*>(hash), size}) + "'";
}

const std::string& page_policy() {
  static const std::string policy = "default-src 'none'; style-src " + style_hash() +
                                    "; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
  return policy;
}

}  // namespace

Html& Html::markup(Markup piece) {
  out_ += piece.text();
  return *this;
}

Html& Html::text(std::string_view data) {
  for (const char c : escape_control(data)) {
    switch (c) {
      case '&':
        out_ += "&amp;";
        break;
      case '<':
        out_ += "&lt;";
        break;
      case '>':
        out_ += "&gt;";
        break;
      case '"':
        out_ += "&quot;";
        break;
      case '\'':
        out_ += "&#39;";
        break;
      default:
        out_ += c;
    }
  }
  return *this;
}

void send_page(ResponseWriter& response, int status, Markup title, const Html& body, HttpHeaders more) {
  Html page;
  page.markup("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">")
      .markup("<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>")
      .markup(title)
      .markup(" - Mayfly</title><style>")
      .markup(kStyle)
      .markup("</style></head><body>\n");
  more.emplace_back("Content-Type", "text/html; charset=utf-8");
  more.emplace_back("Content-Security-Policy", page_policy());
  more.emplace_back("Referrer-Policy", "same-origin");
  more.emplace_back("X-Content-Type-Options", "nosniff");
  more.emplace_back("X-Frame-Options", "DENY");
  more.emplace_back("Cache-Control", "no-store");
  response.send(status, more, page.str() + body.str() + "</body></html>\n");
}

bool wants_html(const HttpRequest& request) {
  return accepts_explicitly(request.header("accept"), "text/html");
}

}  // namespace mayfly::hubd
