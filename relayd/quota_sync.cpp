#include "relayd/quota_sync.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "common/quota_document.h"

namespace mayfly::relayd {
namespace {

using std::chrono::milliseconds;

/// base * 2^exponent, at most `longest`.
milliseconds doubled(milliseconds base, std::uint32_t exponent, milliseconds longest) {
  for (; exponent > 0 && base < longest; --exponent) base *= 2;
  return std::min(base, longest);
}

/// The same but for births, which are the control segment's own.
bool same_rules(shm::Rules a, shm::Rules b) {
  for (auto& rule : a.rules) rule.birth = 0;
  for (auto& rule : b.rules) rule.birth = 0;
  return a == b;
}

std::string with_wait(const std::string& url, std::chrono::seconds wait) {
  const char separator = url.find('?') == std::string::npos ? '?' : '&';
  return url + separator + "wait=" + std::to_string(wait.count());
}

}  // namespace

QuotaSync::QuotaSync(uv_loop_t* loop, QuotaSource source, QuotaPace pace, std::optional<shm::Rules> in_force,
                     Publish publish)
    : loop_(loop),
      source_(std::move(source)),
      pace_(pace),
      in_force_(std::move(in_force)),
      publish_(std::move(publish)),
      client_(loop),
      timer_(loop, [this] { ask(); }),
      random_(std::random_device{}()) {}

shm::Status QuotaSync::start() {
  if (!source_.api_key.empty() && !may_carry_key(source_.url)) {
    return shm::Error{shm::Errc::invalid,
                      source_.url + ": the key is sent over https only, or over http to this host itself"};
  }
  ask_after(milliseconds(0));
  return {};
}

void QuotaSync::ask_after(milliseconds delay) { timer_.start(delay); }

void QuotaSync::ask() {
  HttpClientRequest request;
  request.url = source_.url;
  request.ca_file = source_.ca_file;
  request.max_body_bytes = kMaxQuotaDocumentBytes;
  request.connect_timeout = pace_.connect_timeout;
  request.total_timeout = pace_.answer_timeout;
  request.headers.emplace_back("Accept", "application/json");
  if (!source_.api_key.empty()) request.headers.emplace_back("X-ApiKey", source_.api_key);
  asked_to_wait_ = !etag_.empty();
  if (asked_to_wait_) {
    request.url = with_wait(source_.url, pace_.wait);
    request.headers.emplace_back("If-None-Match", etag_);
    request.total_timeout += pace_.wait;
  }
  uv_update_time(loop_);
  asked_at_ = uv_now(loop_);
  client_.get(request, [this](HttpClientResponse response) { answered(std::move(response)); });
}

void QuotaSync::answered(HttpClientResponse response) {
  if (response.status == 304 && asked_to_wait_) return succeeded(false);
  if (response.status == 0) return failed(response.error);
  if (response.status == 401 || response.status == 403) {
    return failed("the hub does not know this name and key (" + std::to_string(response.status) + ")");
  }
  if (response.status != 200) return failed("status " + std::to_string(response.status));
  const auto before = in_force_;
  if (!take_document(response)) return;
  etag_ = response.etag;
  succeeded(!before || !same_rules(*before, *in_force_));
}

bool QuotaSync::take_document(const HttpClientResponse& response) {
  auto rules = parse_quota_document(response.body);
  if (!rules.ok()) {
    failed("the quota document: " + rules.error().text);
    return false;
  }
  if (in_force_ && same_rules(*in_force_, rules.value())) return true;
  if (const auto published = publish_(rules.value()); !published.ok()) {
    failed("publishing the quotas: " + published.error().text);
    return false;
  }
  spdlog::info("quotas {}: {} directories and patterns in force{}", rules.value().version,
               rules.value().rules.size(), rules.value().paused ? ", paused" : "");
  in_force_ = std::move(rules.value());
  return true;
}

void QuotaSync::succeeded(bool news) {
  ++answers_;
  if (failures_ > 0) spdlog::info("quotas: the hub answers again");
  failures_ = 0;
  problem_.clear();
  if (etag_.empty()) return ask_after(pace_.poll);
  uv_update_time(loop_);
  const milliseconds took(uv_now(loop_) - asked_at_);
  if (news || !asked_to_wait_ || took * 2 >= pace_.wait) {
    hasty_ = 0;
    return ask_after(milliseconds(0));
  }
  // It did not wait, this time or ever: asked less and less often, down to the pace of polling.
  ask_after(doubled(milliseconds(1000), hasty_, pace_.poll));
  hasty_ = std::min(hasty_ + 1, 20u);
}

void QuotaSync::failed(const std::string& problem) {
  if (problem != problem_) spdlog::warn("quotas from {}: {}", source_.url, problem);
  problem_ = problem;
  const milliseconds longest =
      is_loopback_url(source_.url) ? pace_.longest_loopback_retry : pace_.longest_retry;
  const milliseconds delay = doubled(pace_.first_retry, failures_, longest);
  failures_ = std::min(failures_ + 1, 20u);
  std::uniform_int_distribution<std::int64_t> jitter(delay.count() / 2, delay.count());
  ask_after(milliseconds(jitter(random_)));
}

}  // namespace mayfly::relayd
