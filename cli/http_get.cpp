#include "cli/http_get.h"

#include <curl/curl.h>

#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>

#include "common/http_client.h"

namespace mayfly::cli {

using shm::Errc;
using shm::Error;
using shm::Result;
using shm::Status;

namespace {

constexpr long kConnectSeconds = 10;
constexpr long kSilentSeconds = 60;
constexpr std::size_t kMaxErrorBody = 64 << 10;
constexpr std::size_t kMaxLine = 64 << 20;  // the largest record, escaped and encoded, with room

// One transfer: a 200 goes to `take_`, any other answer is kept for its detail.
class Transfer {
 public:
  Transfer(const std::string& url, bool endless, std::function<bool(std::string_view)> take)
      : curl_(curl_easy_init(), &curl_easy_cleanup), take_(std::move(take)) {
    auto* curl = curl_.get();
    curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "localhost,127.0.0.1,::1");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "mayfly/" MAYFLY_VERSION);
    if (!endless) {
      curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
      curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, kSilentSeconds);
    }
    const char* key = std::getenv("MAYFLY_API_KEY");
    if (key != nullptr && may_carry_key(url)) {
      add_header(std::string("X-ApiKey: ") + key);
    }
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, this);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &Transfer::on_bytes);
  }

  Status run(const std::string& url) {
    const CURLcode code = curl_easy_perform(curl_.get());
    if (enough_) return {};
    if (code != CURLE_OK) return Error{Errc::io, url + ": " + curl_easy_strerror(code)};
    long status = 0;
    curl_easy_getinfo(curl_.get(), CURLINFO_RESPONSE_CODE, &status);
    if (status == 200) return {};
    return Error{code_of(status), answer_text(status)};
  }

  void add_header(const std::string& header) {
    // Takes over the list and returns it, longer by one; null, and the list as it was, without memory.
    curl_slist* longer = curl_slist_append(headers_.get(), header.c_str());
    if (longer == nullptr) return;
    headers_.release();  // NOLINT(bugprone-unused-return-value): part of the longer one
    headers_.reset(longer);
    curl_easy_setopt(curl_.get(), CURLOPT_HTTPHEADER, longer);
  }

 private:
  static Errc code_of(long status) {
    if (status == 404) return Errc::not_found;
    return status == 429 || status >= 500 ? Errc::busy : Errc::invalid;
  }

  static std::size_t on_bytes(char* bytes, std::size_t, std::size_t size, void* self) {
    return static_cast<Transfer*>(self)->take_bytes({bytes, size}) ? size : 0;
  }

  bool take_bytes(std::string_view bytes) {
    long status = 0;
    curl_easy_getinfo(curl_.get(), CURLINFO_RESPONSE_CODE, &status);
    if (status == 200) {
      enough_ = !take_(bytes);
      return !enough_;
    }
    if (error_body_.size() < kMaxErrorBody) error_body_ += bytes;
    return true;
  }

  std::string answer_text(long status) const {
    const auto problem = nlohmann::json::parse(error_body_, nullptr, false);
    for (const char* field : {"detail", "title"}) {
      if (problem.is_object() && problem.contains(field) && problem[field].is_string()) return problem[field];
    }
    return "the answer was " + std::to_string(status);
  }

  std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl_;
  std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers_{nullptr, &curl_slist_free_all};
  std::function<bool(std::string_view)> take_;
  std::string error_body_;
  bool enough_ = false;
};

}  // namespace

Result<std::string> http_get(const std::string& url) {
  std::string body;
  Transfer transfer(url, false, [&body](std::string_view bytes) {
    body += bytes;
    return true;
  });
  if (auto done = transfer.run(url); !done) return done.error();
  return body;
}

Status http_lines(const std::string& url, bool endless, const std::function<bool(std::string_view)>& take,
                  const std::vector<std::string>& headers) {
  std::string rest;
  bool too_long = false;
  Transfer transfer(url, endless, [&](std::string_view bytes) {
    rest += bytes;
    std::size_t from = 0;
    for (auto end = rest.find('\n'); end != std::string::npos; end = rest.find('\n', from)) {
      if (!take(std::string_view(rest).substr(from, end - from))) return false;
      from = end + 1;
    }
    rest.erase(0, from);
    too_long = rest.size() > kMaxLine;
    return !too_long;
  });
  for (const std::string& header : headers) transfer.add_header(header);
  if (auto done = transfer.run(url); !done) return done;
  if (too_long) return Error{Errc::io, url + ": a line without end"};
  return {};
}

std::string join_url(std::string base, const std::string& path) {
  while (!base.empty() && base.back() == '/') base.pop_back();
  return base + path;
}

}  // namespace mayfly::cli
