#include "shm/reader.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

#include "shm/engine.h"
#include "shm/reader_impl.h"

namespace mayfly::shm {

ReaderImpl::ReaderImpl(std::string file, std::optional<Mapping> map, const Word* base,
                       const Geometry& geometry, const Clocks& clocks)
    : path(std::move(file)), mapping(std::move(map)), view(base, geometry, clocks) {}

std::optional<CommittedState> ReaderImpl::state_of(const DirectoryInfo& directory) const {
  CommittedState state;
  if (!view.load(directory.id, state) || state.commit.state != kStateOpen ||
      state.commit.incarnation != directory.incarnation) {
    return std::nullopt;
  }
  return state;
}

DirectoryInfo ReaderImpl::info_of(std::uint32_t slot, const CommittedState& state) const {
  const Commit& c = state.commit;
  DirectoryInfo info;
  info.id = slot;
  info.kind = c.kind == static_cast<Word>(Kind::status) ? Kind::status : Kind::log;
  info.incarnation = c.incarnation;
  info.quotas = {c.max_keys,
                 c.max_key_bytes,
                 c.max_value_bytes,
                 c.max_total_bytes,
                 c.max_bytes_per_key,
                 c.max_events_per_key,
                 c.max_age_seconds,
                 c.reserve_bytes,
                 c.stale_after_seconds,
                 c.drop_when_keys_full != 0};
  info.generation = state.generation;
  info.keys = c.keys;
  info.records = c.records;
  info.bytes = c.bytes;
  if (c.records > 0) info.first_seq = c.first_seq;
  info.next_seq = c.next_seq;
  info.last_time_ns = c.last_time_ns;
  info.stored = c.stored;
  info.replaced = c.replaced;
  std::copy(std::begin(c.dropped), std::end(c.dropped), info.dropped.begin());
  std::copy(std::begin(c.evicted), std::end(c.evicted), info.evicted.begin());
  return info;
}

Reader::Reader(std::unique_ptr<ReaderImpl> impl) : impl_(std::move(impl)) {}
Reader::Reader(Reader&&) noexcept = default;
Reader& Reader::operator=(Reader&&) noexcept = default;
Reader::~Reader() = default;

Result<Reader> Reader::open(const std::string& path, const Clocks* clocks) {
  Result<Mapping> mapping = Mapping::open(path, false, sizeof(Header));
  if (!mapping) return mapping.error();
  const Word* base = mapping.value().words();
  const Result<Geometry> geometry = check_header(base, mapping.value().bytes(), kDataMagic);
  if (!geometry) return geometry.error().in(path);
  return Reader(std::make_unique<ReaderImpl>(path, std::move(mapping.value()), base, geometry.value(),
                                             clocks != nullptr ? *clocks : system_clocks()));
}

Result<Reader> Reader::over(const void* base, std::uint64_t bytes, const Clocks& clocks) {
  const Word* words = static_cast<const Word*>(base);
  const Result<Geometry> geometry = check_header(words, bytes, kDataMagic);
  if (!geometry) return geometry.error();
  return Reader(std::make_unique<ReaderImpl>("", std::nullopt, words, geometry.value(), clocks));
}

bool Reader::replaced() const { return impl_->mapping && impl_->mapping->replaced(impl_->path); }

namespace {

void read_applied(const Header& header, SegmentInfo& info) {
  for (int attempt = 0; attempt < 64; ++attempt) {
    const Word generation = load_acquire(&header.applied_generation);
    Applied applied;
    copy_out(&applied, reinterpret_cast<const Word*>(&header.applied[generation & 1]), sizeof applied / 8);
    if (load_acquire(&header.applied_generation) != generation) continue;
    info.applied_control_instance = applied.control_instance;
    info.applied_serial = applied.serial;
    info.serving = applied.serving != 0;
    info.applied_version.assign(reinterpret_cast<const char*>(applied.version),
                                std::min<Word>(applied.version_bytes, sizeof applied.version));
    return;
  }
}

}  // namespace

SegmentInfo Reader::info() const {
  const SegmentView& view = impl_->view;
  const Header& header = view.header();
  SegmentInfo info;
  info.layout_version = static_cast<std::uint32_t>(header.constants.layout_version);
  info.instance = header.constants.instance;
  info.epoch = load_acquire(&header.state.epoch);
  info.bytes = view.geometry().total_bytes;
  info.page_bytes = view.geometry().page_bytes;
  info.pages_total = view.geometry().pages;
  info.pages_free = view.free_pages();
  info.created_wall_ns = header.constants.created_wall_ns;
  info.same_boot = view.same_boot();
  info.clean_stop = load_acquire(&header.state.clean_stop) != 0;
  read_applied(header, info);
  for (std::uint32_t i = 0; i < view.geometry().worker_areas; ++i) {
    const WorkerArea& area = view.area(i);
    info.workers.push_back({load_acquire(&area.heartbeat_mono_ns), load_acquire(&area.heartbeat_boot_ns),
                            load_acquire(&area.connections), load_acquire(&area.refused_connections),
                            load_acquire(&area.closed_connections)});
    for (std::size_t cause = 0; cause < kDropCauses; ++cause) {
      info.unattributed[cause] += load_acquire(&area.unattributed[cause]);
    }
  }
  CommittedState state;
  for (std::uint32_t slot = 0; slot < view.slots_used(); ++slot) {
    if (!view.load(slot, state)) continue;
    const Commit& c = state.commit;
    info.removed_stored += c.removed_stored;
    info.removed_replaced += c.removed_replaced;
    for (std::size_t i = 0; i < kDropCauses; ++i) info.removed_dropped[i] += c.removed_dropped[i];
    for (std::size_t i = 0; i < kEvictCauses; ++i) info.removed_evicted[i] += c.removed_evicted[i];
  }
  return info;
}

std::uint64_t Reader::generation(std::uint32_t id) const { return impl_->view.generation(id); }

std::uint64_t Reader::bytes_read() const { return impl_->view.bytes_read(); }

std::uint64_t Reader::key_scans() const { return impl_->key_scans; }

std::uint32_t Reader::wake_word() const {
  return static_cast<std::uint32_t>(load_acquire(&impl_->view.header().state.wake));
}

void Reader::wait(std::uint32_t seen, std::chrono::milliseconds timeout) const {
  const timespec limit{timeout.count() / 1000, (timeout.count() % 1000) * 1'000'000};
  ::syscall(SYS_futex, &impl_->view.header().state.wake, FUTEX_WAIT, seen, &limit, nullptr, 0);
}

}  // namespace mayfly::shm
