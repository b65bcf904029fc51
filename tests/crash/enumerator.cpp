#include "tests/crash/enumerator.h"

#include "tests/crash/continuation.h"

namespace mayfly::shm::test {
namespace {

constexpr std::uint64_t kSegmentBytes = 160 << 10;
constexpr std::uint64_t kTightSegmentBytes = 96 << 10;

std::unique_ptr<Rig> make_rig(Profile profile) {
  RigOptions options;
  options.bytes = profile == Profile::pressure ? kTightSegmentBytes : kSegmentBytes;
  options.undo_pairs = 256;
  options.slots = 3;
  options.worker_areas = 1;
  return std::make_unique<Rig>(options);
}

}  // namespace

Enumerator::Enumerator(const Scene& scene, CrashTable& table, CrashCounts& counts)
    : random_(scene.seed),
      profile_(scene.profile),
      table_(table),
      counts_(counts),
      rig_(make_rig(scene.profile)) {
  rig_->engine->compact_eagerly = profile_ != Profile::general && random_() % 2 == 0;
  examiner_ = std::make_unique<Examiner>(rig_->memory, rig_->geometry, rig_->clocks, counts, random_());
  examiner_->on_foreign_store = [this](const StoreSite& site, const Word* word) { on_store(site, word); };
  examiner_->where = [this] { return situation().text(); };
  examiner_->go_on = [this](Engine& engine, Reader& reader) {
    go_on(engine, reader, {rig_->clocks, [this] { return key(); }, [this] { return value(); }, !pressure()});
  };
  add(Kind::log);
  add(Kind::status);
}

void Enumerator::step() {
  const auto dice = random_() % 100;
  Entry& entry = entries_[random_() % entries_.size()];
  const unsigned rare = profile_ == Profile::general ? 1 : 8;  // long lives for the other profiles
  if (dice < 3 && random_() % rare == 0) {
    remove_and_add(entry);
  } else if (dice < 9 && random_() % (rare / 2 + 1) == 0) {
    apply(entry);
  } else if (dice < 14) {
    unset(entry);
  } else if (dice < 18) {
    rig_->clocks.advance(1'500'000'000);
    due(entry);
  } else {
    if (profile_ == Profile::merges && random_() % 6 == 0) rig_->clocks.advance(700'000'000);
    batch(entry);
  }
}

// --- what is written ------------------------------------------------------------------------------

Quotas Enumerator::general_quotas(Kind kind) {
  Quotas q;
  q.max_keys = pick({2, 4, 12, 1000});
  q.max_value_bytes = pick({60, 400, 3000});
  q.max_total_bytes = pick({400, 3000, 9000});
  q.max_bytes_per_key = pick({300, 2000, q.max_total_bytes});
  q.max_events_per_key = kind == Kind::log ? pick({1, 3, 9, 1000}) : 2048;
  q.max_age_seconds = pick({0, 3, 60, 86400, 86400});
  q.drop_when_keys_full = random_() % 6 == 0;
  return q;
}

/// Of many keys with few records each: what leaves pages sparse, or uses up the memory.
Quotas Enumerator::narrow_quotas(Kind kind) {
  Quotas q;
  q.max_keys = pick({30, 1000, 1000});
  q.max_value_bytes = pick({60, 150, 1024, 1024});
  q.max_total_bytes = pressure() ? 1000000 : pick({2500, 6000, 20000});
  q.max_bytes_per_key = pick({pressure() ? 20000u : 250u, q.max_total_bytes});
  q.max_events_per_key = kind == Kind::log ? pick({4, 12, pressure() ? 1000u : 12u}) : 2048;
  q.max_age_seconds = pick({3, 12, 86400});
  return q;
}

std::string Enumerator::key() {
  const bool any = random_() % 3 == 0;
  std::uint64_t keys = any ? 40 : 5;
  if (profile_ == Profile::merges) keys = any ? 300 : 20;
  if (pressure()) keys = any ? 150 : 20;
  return "key" + std::to_string(random_() % keys);
}

std::string Enumerator::value() {
  const auto dice = random_() % 100;
  if (profile_ == Profile::merges) return std::string(random_() % 200, 'm');
  if (pressure() && dice < 95) return std::string(random_() % (dice < 60 ? 900 : 100), 'p');
  const std::size_t length = dice < 60 ? random_() % 60 : dice < 97 ? random_() % 500 : random_() % 3000;
  return std::string(length, static_cast<char>('a' + random_() % 26));
}

// --- operations -----------------------------------------------------------------------------------

void Enumerator::add(Kind kind) {
  const Quotas q = profile_ == Profile::general ? general_quotas(kind) : narrow_quotas(kind);
  const std::string name = "d" + std::to_string(births_++);
  run(Operation::open, nullptr, [&] {
    entries_.push_back({name, kind, rig_->open(name, kind, q), ModelDirectory(kind, q)});
  });
}

void Enumerator::remove_and_add(Entry& entry) {
  const Kind kind = entry.kind;
  run(Operation::remove, &entry, [&] {
    rig_->state().now = rig_->clocks.now();
    if (!rig_->engine->close_directory(rig_->state(), entry.id, false)) throw Finding("cannot be removed");
  });
  entry = entries_.back();
  entries_.pop_back();
  add(kind);
}

void Enumerator::apply(Entry& entry) {
  const Quotas q = profile_ == Profile::general ? general_quotas(entry.kind) : narrow_quotas(entry.kind);
  run(Operation::apply_quotas, &entry, [&] { rig_->apply(entry.id, entry.kind, entry.name, q); });
  entry.model.evict_due(rig_->clocks.boot);
  entry.model.apply(q, rig_->clocks.boot);
  compare(entry);
}

void Enumerator::unset(Entry& entry) {
  const std::string k = key();
  run(Operation::unset, &entry, [&] { rig_->unset(entry.id, k); });
  entry.model.unset(k, rig_->clocks.boot);
  compare(entry);
}

void Enumerator::due(Entry& entry) {
  run(Operation::evict_due, &entry, [&] {
    Worker w = rig_->worker();
    if (!w.begin(entry.id, rig_->clocks.now())) throw Finding("not open");
    w.commit();
  });
  entry.model.evict_due(rig_->clocks.boot);
  compare(entry);
}

void Enumerator::batch(Entry& entry) {
  const auto n = entry.model.quotas.max_age_seconds == 0 ? 1 : 1 + random_() % 8;
  std::vector<std::pair<std::string, std::string>> records;
  for (std::uint64_t i = 0; i < n; ++i) records.emplace_back(key(), value());
  run(entry.kind == Kind::log ? Operation::append_log : Operation::append_status, &entry, [&] {
    Worker w = rig_->worker();
    if (!w.begin(entry.id, rig_->clocks.now())) throw Finding("not open");
    for (const auto& [k, v] : records) w.append(k, v);
    w.commit();
  });
  for (const auto& [k, v] : records) {
    entry.model.append(k, v, rig_->clocks.boot, rig_->geometry.max_record_bytes());
  }
  compare(entry);
}

// --- under the examiner's eyes --------------------------------------------------------------------

void Enumerator::run(Operation operation, Entry* entry, const std::function<void()>& body) {
  operation_ = operation;
  directory_ = entry != nullptr ? rig_->engine->directories[entry->id].get() : nullptr;
  if (directory_ != nullptr) {
    before_ = directory_->now;
    turnover_before_ = directory_->turnover;
  }
  ++counts_.operations;
  examiner_->begin();
  armed_ = true;
  body();
  armed_ = false;
  examiner_->end();
}

void Enumerator::on_store(const StoreSite& site, const Word* word) {
  const Word* base = rig_->memory.data();
  if (word < base || word >= base + rig_->memory.size()) return;
  examiner_->stored(static_cast<std::size_t>(word - base));
  if (!armed_) return;
  ++counts_.stores;
  if (table_.take(site, situation(), random_)) examiner_->examine();
}

void Enumerator::compare(const Entry& entry) {
  if (pressure()) return;  // the model knows no memory
  Reader reader = rig_->reader();
  const std::string is = describe(reader, entry.name);
  const std::string should_be = describe(entry.model);
  if (is != should_be) throw Finding("not what the model says:\n" + is + "but\n" + should_be);
}

Situation Enumerator::situation() const {
  Situation s{operation_, -1, false, false};
  if (directory_ == nullptr) return s;
  const Commit& now = directory_->now;
  if (now.replaced > before_.replaced) s.cause = static_cast<int>(kEvictCauses);
  for (std::size_t i = 0; i < kEvictCauses; ++i) {
    if (now.evicted[i] > before_.evicted[i]) s.cause = static_cast<int>(i);
  }
  s.page_turn = directory_->turnover.opened > turnover_before_.opened;
  s.merge = directory_->turnover.merged > turnover_before_.merged;
  return s;
}

}  // namespace mayfly::shm::test
