#include "bench/test_segment.h"

#include <algorithm>
#include <random>

#include "shm/clock.h"

namespace mayfly::bench {

Records::Records(std::size_t keys, std::size_t value_bytes, bool in_turn) : value_(value_bytes, 'v') {
  for (std::size_t i = 0; i < keys; ++i) {
    std::string key = "key-" + std::to_string(i);
    key.resize(kKeyBytes, '.');
    keys_.push_back(std::move(key));
  }
  std::mt19937 random(1);
  for (std::size_t i = 0; i < kOrder; ++i)
    order_.push_back(static_cast<std::uint32_t>((in_turn ? i : random()) % keys));
}

TestSegment::TestSegment(shm::Kind kind, std::uint64_t total_bytes) {
  options_.path = scratch_.file("data");
  options_.bytes = std::max<std::uint64_t>(64 << 20, total_bytes * 4);
  spec_.kind = kind;
  spec_.name = "bench";
  spec_.quotas.max_total_bytes = spec_.quotas.max_bytes_per_key = total_bytes;
  if (total_bytes > (1 << 20)) spec_.quotas.max_events_per_key = ~0ull;
  open();
}

void TestSegment::open() {
  auto opened = shm::Writer::open(options_);
  if (!opened.ok()) give_up(opened.error().text);
  writer_ = std::move(opened.value());
  const auto there = writer_->directories();
  if (!there.empty()) {
    id_ = there.front().id;
    return;
  }
  auto worker = writer_->worker(0);
  auto id = writer_->open_directory(worker, spec_, now());
  if (!id.ok()) give_up(id.error().text);
  id_ = id.value();
}

void TestSegment::append(Records& load, std::size_t records) {
  auto worker = writer_->worker(0);
  worker.begin(id_, now());
  for (std::size_t i = 0; i < records; ++i) {
    if (!worker.append(load.next_key(), load.value()).stored) give_up("a record was dropped");
  }
  worker.commit();
}

void TestSegment::fill(Records& load, std::uint64_t records) {
  for (std::uint64_t done = 0; done < records; done += shm::kMaxBatchRecords)
    append(load, shm::kMaxBatchRecords);
}

void TestSegment::set_total(std::uint64_t total_bytes) {
  auto worker = writer_->worker(0);
  spec_.quotas.max_total_bytes = total_bytes;
  writer_->apply_quotas(worker, id_, spec_, now());
}

shm::Reader TestSegment::reader() const {
  auto opened = shm::Reader::open(options_.path);
  if (!opened.ok()) give_up(opened.error().text);
  return std::move(opened.value());
}

shm::DirectoryInfo TestSegment::directory(const shm::Reader& reader) const {
  const auto found = reader.find(spec_.kind, spec_.name);
  if (!found) give_up("the directory is not there");
  return *found;
}

shm::Now TestSegment::now() {
  const auto& clocks = shm::system_clocks();
  return {clocks.wall_ns(), clocks.boot_ns()};
}

}  // namespace mayfly::bench
