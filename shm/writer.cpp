#include "shm/writer.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>

#include "shm/engine.h"
#include "shm/segment_file.h"

namespace mayfly::shm {
namespace {

// Index entries and newest records of so many keys are about as large as a second-level cache.
constexpr std::uint64_t kFarKeys = 8192;

constexpr std::uint64_t kDueSlice = 4096;  // records evicted by age in one go

FileOptions file_options(const WriterOptions& options) {
  return {options.path, options.lock_wait, options.require_memory_backed, options.file_mode,
          options.file_group};
}

/// Why a file that maps cannot be resumed; empty if it can.
Result<Geometry> check_resumable(const Mapping& mapping) {
  Result<Geometry> geometry = check_header(mapping.words(), mapping.bytes(), kDataMagic);
  if (!geometry) return geometry;
  const Header& header = *reinterpret_cast<const Header*>(mapping.words());
  if (load_acquire(&header.state.poisoned) != 0) return Error{Errc::corrupt, "its writer found it damaged"};
  const BootId boot = current_boot_id();
  if (boot.low != header.constants.boot_id_low || boot.high != header.constants.boot_id_high) {
    return Error{Errc::corrupt, "of another boot of the machine"};
  }
  return geometry;
}

}  // namespace

/// What the Writer owns beside the Engine; kept in this order so that the lock goes last.
struct Writer::Files {
  WriterLock lock;
  Mapping mapping;
  std::string path;
};

Writer::Writer(std::unique_ptr<Files> files, std::unique_ptr<Engine> engine, OpenReport report)
    : files_(std::move(files)), engine_(std::move(engine)), report_(std::move(report)) {}

Writer::~Writer() {
  if (engine_ != nullptr) engine_->say_goodbye();
}

Result<std::unique_ptr<Writer>> Writer::open(const WriterOptions& options) {
  if (options.workers < 1 || options.workers > kMaxWorkers) {
    return Error{Errc::invalid, "workers: 1 to " + std::to_string(kMaxWorkers)};
  }
  const Clocks& clocks = options.clocks != nullptr ? *options.clocks : system_clocks();
  const FileOptions file = file_options(options);
  if (Status ok = check_directory(directory_of(options.path), options.require_memory_backed); !ok)
    return ok.error();
  Result<WriterLock> lock = WriterLock::acquire(file);
  if (!lock) return lock.error();
  OpenReport report;
  std::unique_ptr<Engine> engine;
  Result<Mapping> mapping = Mapping::open(options.path, true, sizeof(Header));
  if (mapping) {
    Result<Geometry> geometry = check_resumable(mapping.value());
    if (geometry) {
      const Header& header = *reinterpret_cast<const Header*>(mapping.value().words());
      report.clean_stop = load_acquire(&header.state.clean_stop) != 0;
      Result<std::unique_ptr<Engine>> attached =
          Engine::attach(mapping.value().words(), geometry.value(), options.quarantine_pages, clocks);
      if (attached) {
        engine = std::move(attached.value());
      } else {
        report.set_aside_reason = attached.error().text;
      }
    } else {
      report.set_aside_reason = geometry.error().text;
    }
  } else if (mapping.error().code != Errc::not_found) {
    if (mapping.error().code == Errc::io) return mapping.error();
    report.set_aside_reason = mapping.error().text;
  }
  if (engine == nullptr) {
    if (!report.set_aside_reason.empty()) {
      Result<std::string> aside = set_aside(options.path);
      if (!aside) return aside.error();
      report.set_aside = aside.value();
    }
    GeometryRequest request;
    request.bytes = options.bytes;
    request.page_bytes = options.page_bytes;
    const Result<Geometry> geometry = plan_geometry(request);
    if (!geometry) return geometry.error();
    mapping = Mapping::create(file, geometry.value().total_bytes, [&](Word* base) {
      format_segment(base, geometry.value(), random_word(), clocks.wall_ns());
    });
    if (!mapping) return mapping.error();
    Result<std::unique_ptr<Engine>> attached =
        Engine::attach(mapping.value().words(), geometry.value(), options.quarantine_pages, clocks);
    if (!attached) return attached.error();
    engine = std::move(attached.value());
    report.created = true;
  }
  const Header& header = engine->segment.header();
  if (options.workers > engine->workers.size()) {
    return Error{Errc::invalid,
                 "this segment has room for " + std::to_string(engine->workers.size()) + " workers"};
  }
  report.rolled_back = engine->recovery.rolled_back;
  report.undone_words = engine->recovery.undone_words;
  report.epoch = load_acquire(&header.state.epoch);
  report.instance = header.constants.instance;
  report.bytes = header.constants.total_bytes;
  report.size_differs = report.bytes / 4096 != options.bytes / 4096;
  auto files =
      std::make_unique<Files>(Files{std::move(lock.value()), std::move(mapping.value()), options.path});
  return std::unique_ptr<Writer>(new Writer(std::move(files), std::move(engine), std::move(report)));
}

const OpenReport& Writer::report() const { return report_; }

Worker Writer::worker(std::uint32_t index) { return Worker(*engine_->workers.at(index)); }

std::vector<OpenDirectory> Writer::directories() const {
  std::vector<OpenDirectory> open;
  const Word used = engine_->slots_used();
  for (std::uint32_t slot = 0; slot < used; ++slot) {
    Directory& directory = *engine_->directories[slot];
    const std::lock_guard lock(directory.mutex);
    if (!directory.is_open()) continue;
    const Commit& now = directory.now;
    DirectorySpec spec{static_cast<Kind>(now.kind), directory.name, directory.quotas(),
                       now.control_instance,        now.rule_birth, now.rule_hash};
    open.push_back({slot, std::move(spec), now.incarnation, now.records, now.last_boot_ns});
  }
  return open;
}

Result<DirectoryId> Writer::open_directory(Worker& worker, const DirectorySpec& spec, Now now) {
  worker.state_->now = now;
  return engine_->open_directory(*worker.state_, spec);
}

bool Writer::apply_quotas(Worker& worker, DirectoryId id, const DirectorySpec& spec, Now now) {
  WorkerState& state = *worker.state_;
  state.now = now;
  return engine_->with_directory(state, id, [&](Directory& directory) {
    directory.apply_quotas(state, spec);
    while (directory.evict_due(state, kDueSlice)) directory.checkpoint(state);
  });
}

bool Writer::remove_directory(Worker& worker, DirectoryId id, Now now) {
  worker.state_->now = now;
  return engine_->close_directory(*worker.state_, id, false);
}

bool Writer::close_if_empty(Worker& worker, DirectoryId id, Now now) {
  worker.state_->now = now;
  return engine_->close_directory(*worker.state_, id, true);
}

bool Writer::evict_due(Worker& worker, DirectoryId id, Now now) {
  WorkerState& state = *worker.state_;
  state.now = now;
  Directory* directory = id < engine_->slots_used() ? engine_->directories[id].get() : nullptr;
  if (directory == nullptr || !directory->any_due(now)) return false;
  bool more = false;
  engine_->with_directory(state, id, [&](Directory& d) { more = d.evict_due(state, kDueSlice); });
  return more;
}

void Writer::publish_applied(std::uint64_t control_instance, std::uint64_t serial, std::string_view version,
                             bool serving) {
  Header& header = engine_->segment.header();
  const Word generation = load_relaxed(&header.applied_generation);
  Applied applied{};
  applied.control_instance = control_instance;
  applied.serial = serial;
  applied.serving = serving ? 1 : 0;
  applied.version_bytes = std::min(version.size(), sizeof applied.version - 1);
  std::memcpy(applied.version, version.data(), applied.version_bytes);
  copy_in(reinterpret_cast<Word*>(&header.applied[(generation + 1) & 1]), &applied, sizeof applied);
  store_release(&header.applied_generation, generation + 1);
}

void Writer::wake_readers() {
  Word& wake = engine_->segment.header().state.wake;
  __atomic_fetch_add(&wake, 1, __ATOMIC_SEQ_CST);
  ::syscall(SYS_futex, &wake, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

bool Writer::has_free_page() const { return engine_->pool.available() > 0; }

bool Writer::torn() const { return files_->mapping.torn(files_->path); }

void Writer::on_corruption(std::function<void(const std::string&)> handler) {
  engine_->corruption_handler = std::move(handler);
}

// --- Worker -------------------------------------------------------------------------------------

bool Worker::begin(DirectoryId id, Now now) {
  Engine& engine = state_->engine;
  if (id >= engine.slots_used()) return false;
  Directory& directory = *engine.directories[id];
  directory.mutex.lock();
  if (!directory.is_open()) {
    directory.mutex.unlock();
    return false;
  }
  state_->current = &directory;
  state_->now = now;
  state_->batch_records = 0;
  directory.begin(*state_);
  while (directory.evict_due(*state_, kDueSlice)) directory.checkpoint(*state_);
  return true;
}

Verdict Worker::append(std::string_view key, std::string_view value) {
  const auto dropped = put(key, hash(key), value);
  return dropped ? Verdict::dropped(*dropped) : last_stored();
}

std::uint64_t Worker::hash(std::string_view key) const { return state_->current->key_hash(key); }

bool Worker::reaches_far(bool many) { return state_->far = many || state_->current->now.keys >= kFarKeys; }

std::uint64_t Worker::prepare(std::string_view key) const { return state_->current->prepare(key); }

void Worker::approach(std::uint64_t hash) const { state_->current->approach(hash); }

std::optional<DropCause> Worker::put(std::string_view key, std::uint64_t hash, std::string_view value) {
  return state_->current->append(*state_, key, hash, value);
}

Verdict Worker::last_stored() const {
  const Commit& now = state_->current->now;
  return {true, DropCause::stopped, now.next_seq - 1, now.last_time_ns};
}

bool Worker::unset(std::string_view key) { return state_->current->unset(*state_, key); }

void Worker::count_drop(DropCause cause) { state_->current->count_drop(cause); }

std::optional<DropCause> Worker::judge_lengths(std::uint64_t key_bytes, std::uint64_t value_bytes) const {
  return state_->current->judge_lengths(key_bytes, value_bytes);
}

void Worker::commit() {
  Directory& directory = *state_->current;
  if (directory.now.max_age_seconds == 0) {
    while (directory.evict_due(*state_, kDueSlice)) directory.checkpoint(*state_);
  }
  directory.commit(*state_);
  directory.maintain(*state_);
  state_->engine.pool.give_back(state_->stash);
  state_->current = nullptr;
  directory.mutex.unlock();
}

void Worker::announce(DirectoryId id) const {
  const Engine& engine = state_->engine;
  if (id < engine.slots_used()) engine.directories[id]->prefetch();
}

void Worker::expect(DirectoryId id) const {
  const Engine& engine = state_->engine;
  if (id < engine.slots_used()) engine.directories[id]->prefetch_places();
}

void Worker::count_unattributed(DropCause cause, std::uint64_t n) {
  Word& counter = state_->engine.segment.area(state_->index).unattributed[static_cast<std::size_t>(cause)];
  store_release(&counter, load_relaxed(&counter) + n);
}

void Worker::heartbeat(std::uint64_t connections) {
  WorkerArea& area = state_->engine.segment.area(state_->index);
  store_release(&area.heartbeat_mono_ns, state_->engine.clocks.mono_ns());
  store_release(&area.heartbeat_boot_ns, state_->engine.clocks.boot_ns());
  store_release(&area.connections, connections);
}

void Worker::count_connections(std::uint64_t refused, std::uint64_t closed) {
  WorkerArea& area = state_->engine.segment.area(state_->index);
  if (refused > 0)
    store_release(&area.refused_connections, load_relaxed(&area.refused_connections) + refused);
  if (closed > 0) store_release(&area.closed_connections, load_relaxed(&area.closed_connections) + closed);
}

}  // namespace mayfly::shm
