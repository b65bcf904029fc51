#include "tests/crash/examiner.h"

#include <cstddef>

namespace mayfly::shm::test {
namespace {

constexpr std::uint64_t kGoOnOneIn = 64;        // images
constexpr std::uint64_t kCleanSecondOneIn = 8;  // images without anything to roll back
constexpr std::uint32_t kQuarantine = 4;

struct KilledAgain {};

Reader reader_over(const Word* words, const Geometry& geometry, const Clocks& clocks) {
  return std::move(Reader::over(words, geometry.total_bytes, clocks).value());
}

}  // namespace

Examiner::Examiner(const std::vector<Word>& memory, const Geometry& geometry, const Clocks& clocks,
                   CrashCounts& counts, std::uint64_t seed)
    : geometry_(geometry),
      clocks_(clocks),
      counts_(counts),
      random_(seed),
      image_(memory),
      again_(memory),
      live_reader_(reader_over(memory.data(), geometry, clocks)),
      image_reader_(reader_over(image_.data(), geometry, clocks)),
      again_reader_(reader_over(again_.data(), geometry, clocks)) {
  current = this;
  g_store_hook = [](const StoreSite& site, const Word* word) { current->on_store(site, word); };
}

Examiner::~Examiner() {
  g_store_hook = nullptr;
  current = nullptr;
}

void Examiner::begin() { expected_ = digest_of(live_reader_); }

void Examiner::end() {
  image_.follow();
  again_.follow();
  if (!image_.equals_original()) throw Finding("a store to the segment went past the hook");
  expect(digest_of(live_reader_), live_reader_, "at the operation's end");
}

bool Examiner::publishes(std::size_t index) const {
  const std::uint64_t at = index * sizeof(Word);
  return at >= geometry_.slots_at && at < geometry_.stamps_at &&
         (at - geometry_.slots_at) % sizeof(Slot) == offsetof(Slot, generation);
}

void Examiner::stored(std::size_t index) {
  image_.note(index);
  again_.note(index);
  if (publishes(index)) expected_ = digest_of(live_reader_);
}

void Examiner::on_store(const StoreSite& site, const Word* word) {
  if (image_.holds(word)) {
    image_.note_own(word);
    ++recovery_stores_;
  } else if (again_.holds(word)) {
    again_.note_own(word);
    if (countdown_ > 0 && --countdown_ == 0) throw KilledAgain{};
  } else if (on_foreign_store) {
    on_foreign_store(site, word);
  }
}

void Examiner::expect(const ViewDigest& seen, Reader& reader, const char* when) const {
  if (seen.partial) {
    throw Finding(std::string("cannot be read ") + when + ", in: " + where() + "\n" + text_of(reader));
  }
  if (seen == expected_) return;
  throw Finding(std::string("not what was committed, ") + when + ", in: " + where() + "\n" + text_of(reader));
}

void Examiner::check_whole(const char* when) {
  VerifyReport report;
  verify_image(image_.data(), geometry_, report);
  if (report.ok) return;
  std::string all = std::string("not whole ") + when + ", in: " + where();
  for (const std::string& error : report.errors) all += "\n" + error;
  throw Finding(all);
}

std::unique_ptr<Engine> Examiner::attach(Shadow& shadow, const char* when) {
  auto engine = Engine::attach(shadow.data(), geometry_, kQuarantine, clocks_);
  if (!engine) throw Finding(std::string("refused ") + when + ": " + engine.error().text);
  return std::move(engine.value());
}

bool Examiner::any_pending() const {
  const Segment crashed(const_cast<Word*>(image_.words()), geometry_);
  for (std::uint32_t i = 0; i < geometry_.worker_areas; ++i) {
    if (load_acquire(&crashed.area(i).undo_count) > 0) return true;
  }
  return false;
}

void Examiner::examine() {
  ++counts_.images;
  image_.follow();
  expect(digest_of(image_reader_), image_reader_, "after a kill");
  const bool pending = any_pending();
  counts_.pending += pending ? 1 : 0;

  recovery_stores_ = 0;
  const std::unique_ptr<Engine> engine = attach(image_, "after a kill");
  const std::uint64_t stores = recovery_stores_;
  expect(digest_of(image_reader_), image_reader_, "after recovery");
  check_whole("after recovery");

  if (pending || random_() % kCleanSecondOneIn == 0) kill_recovery(stores);
  if (random_() % kGoOnOneIn != 0) return;
  ++counts_.continuations;
  engine->corruption_handler = [](const std::string& what) { throw Finding("going on: " + what); };
  go_on(*engine, image_reader_);
  check_whole("after going on");
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
  // Each attach raises the epoch, also one that was killed afterwards.
  constexpr std::size_t kEpochAt = (offsetof(Header, state) + offsetof(HeaderState, epoch)) / sizeof(Word);
  if (!image_.same_changes(again_, kEpochAt)) throw Finding("recovery in two halves comes to something else");
}

}  // namespace mayfly::shm::test
