#include "common/http_upload.h"

#include <curl/curl.h>

#include <algorithm>
#include <utility>

#include "common/http_client_core.h"

namespace mayfly {
namespace {

constexpr std::size_t kMaxKeptUploadBytes = 256 << 10;  // of an emptied queue

}  // namespace

bool UploadQueue::append(std::string_view data) {
  if (ended_) return false;
  if (length_)
    data =
        data.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(data.size(), *length_ - written_)));
  if (data.empty()) return false;
  bytes_ += data;
  written_ += data.size();
  return true;
}

std::string UploadQueue::take_all() {
  all_read_ = true;
  begin_ = 0;
  return std::exchange(bytes_, {});
}

std::size_t UploadQueue::read(char* buffer, std::size_t room) {
  const std::size_t count = std::min(room, size());
  if (count == 0) {
    if (!ended()) {
      paused = true;
      return CURL_READFUNC_PAUSE;
    }
    all_read_ = true;
    // An announced length that did not come: libcurl would wait for an answer that cannot come.
    return length_ && !filled() ? CURL_READFUNC_ABORT : 0;
  }
  bytes_.copy(buffer, count, begin_);
  begin_ += count;
  if (begin_ == bytes_.size()) {
    bytes_.clear();
    begin_ = 0;
    if (bytes_.capacity() > kMaxKeptUploadBytes) bytes_ = std::string();
    all_read_ = filled();
  } else if (begin_ >= bytes_.size() / 2) {
    bytes_.erase(0, begin_);
    begin_ = 0;
  }
  return count;
}

QueuedUpload::~QueuedUpload() {
  if (!ended_) QueuedUpload::abort();
}

void QueuedUpload::write(std::string_view data) {
  const auto core = core_.lock();
  UploadQueue* queue = core ? core->upload(id_) : nullptr;
  if (queue != nullptr && queue->append(data)) core->upload_grew(id_);
}

void QueuedUpload::end() {
  if (std::exchange(ended_, true)) return;
  const auto core = core_.lock();
  UploadQueue* queue = core ? core->upload(id_) : nullptr;
  if (queue == nullptr) return;
  queue->end();
  core->upload_grew(id_);
}

void QueuedUpload::abort() {
  ended_ = true;
  if (const auto core = core_.lock()) core->cancel(id_);
}

std::size_t QueuedUpload::queued() const {
  const auto core = core_.lock();
  const UploadQueue* queue = core ? core->upload(id_) : nullptr;
  return queue == nullptr ? 0 : queue->size();
}

void QueuedUpload::on_drain(std::size_t below, Callback callback) {
  const auto core = core_.lock();
  UploadQueue* queue = core ? core->upload(id_) : nullptr;
  if (queue == nullptr) return;
  queue->drain_below = below;
  queue->drain = std::move(callback);
  if (queue->wants_drain()) core->look_soon(id_);
}

}  // namespace mayfly
