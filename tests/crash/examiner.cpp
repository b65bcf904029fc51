#include "tests/crash/examiner.h"

#include <cstddef>

namespace mayfly::shm::test {
namespace {

constexpr std::uint64_t kGoOnOneIn = 64;        // points
constexpr std::uint64_t kCleanSecondOneIn = 8;  // points without anything to roll back
constexpr std::uint32_t kQuarantine = 4;

struct KilledAgain {};

Reader reader_over(const Word* words, const Rig& rig) {
  return std::move(Reader::over(words, rig.geometry.total_bytes, rig.clocks).value());
}

}  // namespace

Examiner::Examiner(Rig& rig, CrashTable& table, CrashCounts& counts, std::uint64_t seed)
    : rig_(rig),
      table_(table),
      counts_(counts),
      random_(seed),
      image_(rig.memory),
      again_(rig.memory),
      live_reader_(reader_over(rig.memory.data(), rig)),
      image_reader_(reader_over(image_.data(), rig)),
      again_reader_(reader_over(again_.data(), rig)) {
  current = this;
  g_store_hook = [](const StoreSite& site, const Word* word) { current->on_store(site, word); };
}

Examiner::~Examiner() {
  g_store_hook = nullptr;
  current = nullptr;
}

void Examiner::run(const std::function<void()>& operation) {
  ++counts_.operations;
  expected_ = digest_of(live_reader_);
  armed_ = true;
  operation();
  armed_ = false;
  image_.follow();
  again_.follow();
  if (!image_.equals_original()) throw Finding("a store to the segment went past the hook");
  expect(digest_of(live_reader_), live_reader_, "at the operation's end");
}

/// Stores to a generation word are the only ones that may change what readers see.
bool Examiner::publishes(std::size_t index) const {
  const std::uint64_t at = index * sizeof(Word);
  const Geometry& g = rig_.geometry;
  return at >= g.slots_at && at < g.stamps_at &&
         (at - g.slots_at) % sizeof(Slot) == offsetof(Slot, generation);
}

void Examiner::on_store(const StoreSite& site, const Word* word) {
  if (image_.holds(word)) {
    image_.note_own(word);
    ++recovery_stores_;
    return;
  }
  if (again_.holds(word)) {
    again_.note_own(word);
    if (countdown_ > 0 && --countdown_ == 0) throw KilledAgain{};
    return;
  }
  const Word* base = rig_.memory.data();
  if (word < base || word >= base + rig_.memory.size()) return;
  const auto index = static_cast<std::size_t>(word - base);
  image_.note(index);
  again_.note(index);
  if (!armed_) return;
  ++counts_.stores;
  if (publishes(index)) expected_ = digest_of(live_reader_);
  if (table_.take(site, situation(), random_)) examine();
}

void Examiner::expect(const ViewDigest& seen, Reader& reader, const char* when) const {
  if (seen.partial) throw Finding(std::string("cannot be read ") + when + "\n" + text_of(reader));
  if (seen == expected_) return;
  throw Finding(std::string("not what was committed, ") + when + ", in: " + situation().text() + "\n" +
                text_of(reader));
}

std::unique_ptr<Engine> Examiner::attach(Shadow& shadow, const char* when) {
  auto engine = Engine::attach(shadow.data(), rig_.geometry, kQuarantine, rig_.clocks);
  if (!engine) throw Finding(std::string("refused ") + when + ": " + engine.error().text);
  return std::move(engine.value());
}

void Examiner::examine() {
  image_.follow();
  expect(digest_of(image_reader_), image_reader_, "after a kill");
  const Segment crashed(image_.data(), rig_.geometry);
  const bool pending = load_acquire(&crashed.area(0).undo_count) > 0;
  counts_.pending += pending ? 1 : 0;

  recovery_stores_ = 0;
  const std::unique_ptr<Engine> engine = attach(image_, "after a kill");
  const std::uint64_t stores = recovery_stores_;
  expect(digest_of(image_reader_), image_reader_, "after recovery");
  VerifyReport report;
  verify_image(image_.data(), rig_.geometry, report);
  if (!report.ok)
    throw Finding("not whole after recovery, in: " + situation().text() + "\n" + join(report.errors));

  if (pending || random_() % kCleanSecondOneIn == 0) kill_recovery(stores);
  if (random_() % kGoOnOneIn != 0) return;
  ++counts_.continuations;
  engine->corruption_handler = [](const std::string& what) { throw Finding("going on: " + what); };
  go_on(*engine, image_reader_);
  report = VerifyReport{};
  verify_image(image_.data(), rig_.geometry, report);
  if (!report.ok) throw Finding("not whole after going on\n" + join(report.errors));
}

/// Kills the recovery at one of its stores, then recovers: the same bytes as without that kill.
void Examiner::kill_recovery(std::uint64_t stores) {
  ++counts_.second_kills;
  again_.follow();
  countdown_ = 1 + random_() % stores;
  try {
    attach(again_, "after a kill");
  } catch (const KilledAgain&) {
  }
  countdown_ = 0;
  expect(digest_of(again_reader_), again_reader_, "after a kill inside recovery");
  attach(again_, "after a kill inside recovery");
  if (!same_but_for_epoch()) throw Finding("recovery in two halves comes to something else");
}

/// Each attach raises the epoch, also one that was killed afterwards.
bool Examiner::same_but_for_epoch() const {
  const auto epoch_at = offsetof(Header, state) + offsetof(HeaderState, epoch);
  const auto* one = reinterpret_cast<const char*>(image_.words().data());
  const auto* two = reinterpret_cast<const char*>(again_.words().data());
  const std::size_t behind = epoch_at + sizeof(Word);
  const std::size_t bytes = image_.words().size() * sizeof(Word);
  return std::memcmp(one, two, epoch_at) == 0 && std::memcmp(one + behind, two + behind, bytes - behind) == 0;
}

}  // namespace mayfly::shm::test
