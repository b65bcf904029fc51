// A complete list of records as one answer: at once where it is short, else in slices.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/http_message.h"
#include "relayd/slice_runner.h"
#include "shm/reader.h"

namespace mayfly::relayd {

/// What is to be sent, and how it looks.
struct RecordListing {
  shm::Reader::Snapshot snapshot;  // keeps the bytes of `records`
  std::vector<shm::RecordView> records;
  std::string before;
  std::string between;
  std::string after;
  std::function<void(std::string& out, const shm::RecordView& record)> append;
};

/// Sends the listing with 200 and these headers. Belongs to the loop's thread.
void send_listing(SliceRunner& slices, ResponseWriterPtr response, const HttpHeaders& headers,
                  std::shared_ptr<const RecordListing> listing);

}  // namespace mayfly::relayd
