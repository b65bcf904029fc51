// One request as libcurl wants it: options and callbacks.
#include <algorithm>
#include <cctype>

#include "common/dead_peer.h"
#include "common/http_client_core.h"

namespace mayfly {
namespace {

// libcurl 7.88 puts up to 64 KiB of a body into the buffer of its head.
constexpr std::uint64_t kLeavesWithHead = 48 << 10;
constexpr long kUploadBufferBytes = 32 << 10;
constexpr long kOldestReusedS = 60;  // a connection that rested longer is not used again

std::size_t on_body(char* data, std::size_t, std::size_t size, void* user) {
  auto* transfer = static_cast<HttpTransfer*>(user);
  if (size > transfer->max_body_bytes - transfer->response.body.size()) {
    transfer->body_too_large = true;
    return 0;
  }
  transfer->response.body.append(data, size);
  return size;
}

/// Keeps the ETag; a new status line (after 100 Continue) forgets what came before. The end of the
/// head is when an answer counts as there.
std::size_t on_header(char* data, std::size_t, std::size_t size, void* user) {
  auto* transfer = static_cast<HttpTransfer*>(user);
  auto& response = transfer->response;
  std::string_view line(data, size);
  if (line.substr(0, 5) == "HTTP/") response.etag.clear();
  if (line == "\r\n" && transfer->upload) transfer->core->look_later(transfer->id);
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return size;
  std::string name(line.substr(0, colon));
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (name != "etag") return size;
  line.remove_prefix(colon + 1);
  const std::size_t begin = line.find_first_not_of(" \t");
  const std::size_t end = line.find_last_not_of(" \t\r\n");
  if (begin != std::string_view::npos) response.etag = line.substr(begin, end - begin + 1);
  return size;
}

std::size_t on_upload(char* buffer, std::size_t size, std::size_t count, void* user) {
  auto* transfer = static_cast<HttpTransfer*>(user);
  const std::size_t taken = transfer->upload->read(buffer, size * count);
  if (transfer->upload->wants_drain()) transfer->core->look_later(transfer->id);
  return taken;
}

int on_new_socket(void*, curl_socket_t fd, curlsocktype) {
  notice_dead_peer(fd);
  return CURL_SOCKOPT_OK;
}

bool names_key(const HttpClientRequest& request) {
  return std::any_of(request.headers.begin(), request.headers.end(), [](const auto& header) {
    std::string name = header.first;
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return name == "x-apikey";
  });
}

}  // namespace

HttpTransfer::~HttpTransfer() {
  if (easy != nullptr) curl_easy_cleanup(easy);
  curl_slist_free_all(headers);
}

void set_up_transfer(HttpTransfer& transfer, const HttpClientRequest& request) {
  transfer.max_body_bytes = request.max_body_bytes;
  for (const auto& [name, value] : request.headers) transfer.add_header(name + ": " + value);
  CURL* easy = transfer.easy = curl_easy_init();
  const bool secret = names_key(request) && !may_carry_key(request.url);
  curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, secret ? "https" : "http,https");
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
  curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_new_socket);
  curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, kOldestReusedS);
  if (request.names_itself) curl_easy_setopt(easy, CURLOPT_USERAGENT, "mayfly/" MAYFLY_VERSION);
  if (is_loopback_url(request.url)) curl_easy_setopt(easy, CURLOPT_PROXY, "");
  if (!request.ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, request.ca_file.c_str());
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request.connect_timeout.count()));
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer.error);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, &transfer);
}

bool leaves_at_once(const UploadQueue& upload) {
  return upload.length() && *upload.length() <= kLeavesWithHead;
}

void set_up_upload(HttpTransfer& transfer) {
  CURL* easy = transfer.easy;
  UploadQueue& upload = *transfer.upload;
  transfer.add_header("Expect:");
  transfer.add_header("Content-Type:");
  curl_easy_setopt(easy, CURLOPT_POST, 1L);
  if (leaves_at_once(upload) && upload.filled()) {
    const std::string body = upload.take_all();
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, body.data());
    return;
  }
  if (!upload.length()) transfer.add_header("Transfer-Encoding: chunked");
  const curl_off_t size = upload.length() ? static_cast<curl_off_t>(*upload.length()) : -1;
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, size);
  curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, kUploadBufferBytes);
  curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_upload);
  curl_easy_setopt(easy, CURLOPT_READDATA, &transfer);
}

}  // namespace mayfly
