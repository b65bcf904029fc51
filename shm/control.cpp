#include "shm/control.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <atomic>
#include <climits>
#include <ctime>

#include "shm/control_layout.h"
#include "shm/segment_file.h"

namespace mayfly::shm {
namespace {

constexpr int kReadAttempts = 64;

void wake_all(Word* word) { ::syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0); }

std::size_t copy_bytes(std::size_t rules) {
  return offsetof(ControlCopy, rules) + rules * sizeof(ControlRule);
}

Word checksum_of(const ControlCopy& copy) {
  const char* from = reinterpret_cast<const char*>(&copy) + sizeof copy.checksum;
  return XXH3_64bits(from, copy_bytes(copy.rule_count) - sizeof copy.checksum);
}

ControlRule pack(const Rule& rule) {
  const Quotas& q = rule.quotas;
  ControlRule packed{};
  packed.kind = static_cast<Word>(rule.kind);
  packed.pattern = rule.pattern ? 1 : 0;
  packed.name_bytes = rule.name.size();
  std::memcpy(packed.name, rule.name.data(), rule.name.size());
  packed.max_keys = q.max_keys;
  packed.max_key_bytes = q.max_key_bytes;
  packed.max_value_bytes = q.max_value_bytes;
  packed.max_total_bytes = q.max_total_bytes;
  packed.max_bytes_per_key = q.max_bytes_per_key;
  packed.max_events_per_key = q.max_events_per_key;
  packed.max_age_seconds = q.max_age_seconds;
  packed.reserve_bytes = q.reserve_bytes;
  packed.stale_after_seconds = q.stale_after_seconds;
  packed.drop_when_keys_full = q.drop_when_keys_full ? 1 : 0;
  packed.max_directories = rule.max_directories;
  packed.birth = rule.birth;
  return packed;
}

Rule unpack(const ControlRule& packed) {
  Rule rule;
  rule.kind = static_cast<Kind>(packed.kind);
  rule.pattern = packed.pattern != 0;
  rule.name.assign(reinterpret_cast<const char*>(packed.name), packed.name_bytes);
  rule.quotas = {packed.max_keys,
                 packed.max_key_bytes,
                 packed.max_value_bytes,
                 packed.max_total_bytes,
                 packed.max_bytes_per_key,
                 packed.max_events_per_key,
                 packed.max_age_seconds,
                 packed.reserve_bytes,
                 packed.stale_after_seconds,
                 packed.drop_when_keys_full != 0};
  rule.max_directories = packed.max_directories;
  rule.birth = packed.birth;
  return rule;
}

bool sane(const ControlCopy& copy) {
  if (copy.rule_count > kMaxRules || copy.version_bytes > kMaxVersionBytes) return false;
  if (copy.checksum != checksum_of(copy)) return false;
  return std::all_of(copy.rules, copy.rules + copy.rule_count, [](const ControlRule& rule) {
    return rule.name_bytes >= 1 && rule.name_bytes <= kMaxNameBytes && (rule.kind == 1 || rule.kind == 2);
  });
}

Rules rules_of(const ControlCopy& copy) {
  Rules rules;
  rules.version.assign(reinterpret_cast<const char*>(copy.version), copy.version_bytes);
  rules.paused = copy.paused != 0;
  for (Word i = 0; i < copy.rule_count; ++i) rules.rules.push_back(unpack(copy.rules[i]));
  return rules;
}

Status check_control_header(const Word* base, std::uint64_t bytes) {
  HeaderConstants constants;
  copy_out(&constants, base, sizeof constants / 8);
  const auto& header = *reinterpret_cast<const ControlHeader*>(base);
  if (constants.magic != kControlMagic) return Error{Errc::corrupt, "not a control segment (wrong magic)"};
  if (constants.layout_version != kLayoutVersion || constants.layout_hash != sizeof(ControlCopy)) {
    return Error{Errc::wrong_version,
                 "a control segment of layout version " + std::to_string(constants.layout_version)};
  }
  if (constants.checksum != XXH3_64bits(&constants, offsetof(HeaderConstants, checksum)) ||
      constants.total_bytes != bytes) {
    return Error{Errc::corrupt, "a control segment with a damaged header"};
  }
  if (load_acquire(&header.ready) != kReady) return Error{Errc::not_ready, "its birth was not completed"};
  return {};
}

void format_control(Word* base, const Clocks& clocks) {
  auto& header = *reinterpret_cast<ControlHeader*>(base);
  HeaderConstants constants{};
  constants.magic = kControlMagic;
  constants.endian = kEndianMark;
  constants.layout_version = kLayoutVersion;
  constants.layout_hash = sizeof(ControlCopy);
  constants.total_bytes = kControlBytes;
  constants.instance = random_word();
  constants.created_wall_ns = clocks.wall_ns();
  constants.checksum = XXH3_64bits(&constants, offsetof(HeaderConstants, checksum));
  copy_in(reinterpret_cast<Word*>(&header.constants), &constants, sizeof constants);
  store_release(&header.ready, kReady);
}

}  // namespace

class ControlImpl {
 public:
  ControlImpl(Mapping map, std::string file) : mapping(std::move(map)), path(std::move(file)) {}

  ControlHeader& header() const { return *reinterpret_cast<ControlHeader*>(mapping.words()); }
  Word* copy(Word generation) const {
    return mapping.words() + (sizeof(ControlHeader) + (generation & 1) * sizeof(ControlCopy)) / 8;
  }
  Result<ControlState> state() const;

  Mapping mapping;
  std::string path;
  std::optional<WriterLock> lock;  // the writer's
  bool created = false;
  std::string aside;
  const Clocks* clocks = nullptr;
  mutable std::atomic<bool> interrupted{false};
  mutable std::atomic<bool> barrier{false};
};

Result<ControlState> ControlImpl::state() const {
  // Half a megabyte: only what is copied is touched.
  const auto copied = std::make_unique_for_overwrite<ControlCopy>();
  for (int attempt = 0; attempt < kReadAttempts; ++attempt) {
    ControlState state;
    state.instance = header().constants.instance;
    // SYNC POINT: pairs with the store in ControlWriter::publish.
    state.serial = load_acquire(&header().generation);
    if (state.serial == 0) return state;
    copy_out(copied.get(), copy(state.serial), offsetof(ControlCopy, rules) / 8);
    const Word count = std::min<Word>(copied->rule_count, kMaxRules);
    copy_out(copied->rules, copy(state.serial) + offsetof(ControlCopy, rules) / 8,
             count * sizeof(ControlRule) / 8);
    if (load_acquire(&header().generation) != state.serial) continue;
    if (!sane(*copied)) return Error{Errc::corrupt, path + ": the rules in force are damaged"};
    state.rules = rules_of(*copied);
    return state;
  }
  return Error{Errc::not_ready, path + ": the rules change faster than they can be read"};
}

// --- writer -------------------------------------------------------------------------------------

ControlWriter::ControlWriter(std::unique_ptr<ControlImpl> impl) : impl_(std::move(impl)) {}
ControlWriter::~ControlWriter() = default;

Result<std::unique_ptr<ControlWriter>> ControlWriter::open(const ControlOptions& options) {
  const FileOptions file{options.path, options.lock_wait, options.require_memory_backed, options.file_mode,
                         options.file_group};
  const Clocks& clocks = options.clocks != nullptr ? *options.clocks : system_clocks();
  if (Status ok = check_directory(directory_of(options.path), options.require_memory_backed); !ok)
    return ok.error();
  Result<WriterLock> lock = WriterLock::acquire(file);
  if (!lock) return lock.error();
  std::string aside;
  Result<Mapping> mapping = Mapping::open(options.path, true, kControlBytes);
  Status usable;
  if (mapping) usable = check_control_header(mapping.value().words(), mapping.value().bytes());
  std::unique_ptr<ControlImpl> impl;
  if (mapping && usable) {
    impl = std::make_unique<ControlImpl>(std::move(mapping.value()), options.path);
    if (!impl->state()) impl.reset();  // damaged rules
  } else if (!mapping && mapping.error().code == Errc::io) {
    return mapping.error();
  }
  if (impl == nullptr) {
    if (mapping || mapping.error().code != Errc::not_found) {
      Result<std::string> moved = shm::set_aside(options.path);
      if (!moved) return moved.error();
      aside = moved.value();
    }
    mapping = Mapping::create(file, kControlBytes, [&](Word* base) { format_control(base, clocks); });
    if (!mapping) return mapping.error();
    impl = std::make_unique<ControlImpl>(std::move(mapping.value()), options.path);
    impl->created = true;
  }
  impl->lock = std::move(lock.value());
  impl->aside = aside;
  impl->clocks = &clocks;
  store_release(&impl->header().waiting, 0);
  return std::unique_ptr<ControlWriter>(new ControlWriter(std::move(impl)));
}

bool ControlWriter::created() const { return impl_->created; }
std::string ControlWriter::set_aside() const { return impl_->aside; }

ControlState ControlWriter::state() const {
  Result<ControlState> state = impl_->state();
  return state ? std::move(state.value()) : ControlState{impl_->header().constants.instance, 0, std::nullopt};
}

Status ControlWriter::publish(const Rules& rules) {
  if (rules.rules.size() > kMaxRules) {
    return Error{Errc::invalid, "more than " + std::to_string(kMaxRules) + " directories and patterns"};
  }
  if (rules.version.size() > kMaxVersionBytes) return Error{Errc::invalid, "a version longer than 63 bytes"};
  auto fresh = std::make_unique<ControlCopy>();
  auto before = std::make_unique<ControlCopy>();
  const Word serial = load_relaxed(&impl_->header().generation);
  if (serial > 0) copy_out(before.get(), impl_->copy(serial), sizeof(ControlCopy) / 8);
  if (serial > 0 && !sane(*before)) {
    return Error{Errc::corrupt, impl_->path + ": the rules in force are damaged, their births are not known"};
  }
  fresh->rule_count = rules.rules.size();
  fresh->paused = rules.paused ? 1 : 0;
  fresh->next_birth = before->next_birth + 1;
  fresh->version_bytes = rules.version.size();
  std::memcpy(fresh->version, rules.version.data(), rules.version.size());
  for (std::size_t i = 0; i < rules.rules.size(); ++i) {
    const Rule& rule = rules.rules[i];
    if (rule.name.empty() || rule.name.size() > kMaxNameBytes || rule.kind == Kind::none) {
      return Error{Errc::invalid, "a rule without a proper name or kind: '" + rule.name + "'"};
    }
    ControlRule& packed = fresh->rules[i] = pack(rule);
    packed.birth = fresh->next_birth;
    for (Word j = 0; j < before->rule_count; ++j) {
      const ControlRule& old = before->rules[j];
      if (old.kind == packed.kind && old.pattern == packed.pattern && old.name_bytes == packed.name_bytes &&
          std::memcmp(old.name, packed.name, sizeof old.name) == 0) {
        packed.birth = old.birth;
        break;
      }
    }
  }
  fresh->checksum = checksum_of(*fresh);
  ControlHeader& header = impl_->header();
  copy_in(impl_->copy(serial + 1), fresh.get(), copy_bytes(fresh->rule_count));
  store_release(&header.generation, serial + 1);
  wake_all(&header.generation);
  return {};
}

void ControlWriter::set_waiting(bool waiting) {
  // Sequentially consistent: the reader that waits looks for news once more after this, the writer
  // of the data segment looks here once more after its commit; one of them sees the other.
  __atomic_store_n(&impl_->header().waiting, waiting ? Word{1} : Word{0}, __ATOMIC_SEQ_CST);
}

bool ControlWriter::torn() const { return impl_->mapping.torn(impl_->path); }

void ControlWriter::heartbeat() {
  store_release(&impl_->header().heartbeat_mono_ns, impl_->clocks->mono_ns());
}

// --- reader -------------------------------------------------------------------------------------

ControlReader::ControlReader(std::unique_ptr<ControlImpl> impl) : impl_(std::move(impl)) {}
ControlReader::~ControlReader() = default;

Result<std::unique_ptr<ControlReader>> ControlReader::open(const std::string& path) {
  Result<Mapping> mapping = Mapping::open(path, false, kControlBytes);
  if (!mapping) return mapping.error();
  if (Status ok = check_control_header(mapping.value().words(), mapping.value().bytes()); !ok) {
    return ok.error().in(path);
  }
  return std::unique_ptr<ControlReader>(
      new ControlReader(std::make_unique<ControlImpl>(std::move(mapping.value()), path)));
}

bool ControlReader::replaced() const { return impl_->mapping.replaced(impl_->path); }
std::uint64_t ControlReader::instance() const { return impl_->header().constants.instance; }
std::uint64_t ControlReader::serial() const { return load_acquire(&impl_->header().generation); }
Result<ControlState> ControlReader::state() const { return impl_->state(); }

bool ControlReader::waiting() const {
  // A full barrier between the commits before and the load: an exchange, since ThreadSanitizer
  // does not know fences.
  impl_->barrier.exchange(true, std::memory_order_seq_cst);
  return __atomic_load_n(&impl_->header().waiting, __ATOMIC_SEQ_CST) != 0;
}

std::uint64_t ControlReader::heartbeat_mono_ns() const {
  return load_acquire(&impl_->header().heartbeat_mono_ns);
}

void ControlReader::wait(std::uint64_t seen_serial, std::chrono::milliseconds timeout) const {
  if (impl_->interrupted.load()) return;
  const timespec limit{timeout.count() / 1000, (timeout.count() % 1000) * 1'000'000};
  ::syscall(SYS_futex, &impl_->header().generation, FUTEX_WAIT, static_cast<std::uint32_t>(seen_serial),
            &limit, nullptr, 0);
}

void ControlReader::interrupt() {
  // Waking needs no write access. The flag covers a wait() that is about to begin, its timeout the rest.
  impl_->interrupted.store(true);
  wake_all(&impl_->header().generation);
}

}  // namespace mayfly::shm
