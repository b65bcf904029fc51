#include "relayd/record_listing.h"

#include <utility>

namespace mayfly::relayd {
namespace {

constexpr std::size_t kAtOnceBytes = 256 << 10;
constexpr std::size_t kListingSliceBytes = 64 << 10;
constexpr std::size_t kListingQueueBytes = 256 << 10;

/// The part of a listing that has not been sent.
struct Sending : std::enable_shared_from_this<Sending> {
  SliceRunner& slices;
  ResponseWriterPtr response;
  std::shared_ptr<const RecordListing> listing;
  std::size_t next = 0;

  Sending(SliceRunner& runner, ResponseWriterPtr to, std::shared_ptr<const RecordListing> what)
      : slices(runner), response(std::move(to)), listing(std::move(what)) {}

  /// Appends records until `out` has `bytes`, and what follows the last one.
  void fill(std::string& out, std::size_t bytes) {
    const auto& records = listing->records;
    if (next == 0) out += listing->before;
    while (next < records.size() && out.size() < bytes) {
      if (next > 0) out += listing->between;
      listing->append(out, records[next++]);
    }
    if (next == records.size()) out += listing->after;
  }

  bool slice() {
    if (response->closed()) return false;
    std::string out;
    fill(out, kListingSliceBytes);
    response->write(out);
    if (next == listing->records.size()) {
      response->end();
      return false;
    }
    if (response->queued() <= kListingQueueBytes) return true;
    response->on_drain(kListingSliceBytes, [self = shared_from_this()] { self->schedule(); });
    return false;
  }

  void schedule() {
    slices.add([self = shared_from_this()] { return self->slice(); });
  }
};

}  // namespace

void send_listing(SliceRunner& slices, ResponseWriterPtr response, const HttpHeaders& headers,
                  std::shared_ptr<const RecordListing> listing) {
  std::size_t bytes = 0;
  for (const auto& record : listing->records) bytes += record.key.size() + record.value.size();
  const auto sending = std::make_shared<Sending>(slices, std::move(response), std::move(listing));
  if (bytes <= kAtOnceBytes) {
    std::string body;
    sending->fill(body, static_cast<std::size_t>(-1));
    sending->response->send(200, headers, body);
    return;
  }
  sending->response->begin(200, headers);
  sending->schedule();
}

}  // namespace mayfly::relayd
