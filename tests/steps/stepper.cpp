#include "tests/steps/stepper.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "shm/engine.h"
#include "tests/crash/continuation.h"

namespace mayfly::test {
namespace {

using shm::load_acquire;
using shm::Word;
using shm::WorkerArea;
using shm::test::Finding;

constexpr std::size_t kLongestInstruction = 16;
constexpr std::uint64_t kKeys = 30;
constexpr std::uint64_t kValueBytes = 300;

shm::Mapping map_segment(const std::string& path) {
  auto mapping = shm::Mapping::open(path, false, sizeof(shm::Header));
  if (!mapping) throw std::runtime_error(mapping.error().text);
  return std::move(mapping.value());
}

}  // namespace

Stepper::Stepper(Tracee& tracee, const std::string& segment_path, const std::string& program, CodeRanges code,
                 std::uint64_t seed)
    : tracee_(tracee),
      mapping_(map_segment(segment_path)),
      geometry_(shm::check_header(mapping_.words(), mapping_.bytes(), shm::kDataMagic).value()),
      mirror_(mapping_.words(), mapping_.words() + mapping_.bytes() / sizeof(Word)),
      live_(const_cast<Word*>(mapping_.words()), geometry_),
      code_(std::move(code)),
      base_(tracee.address_of(segment_path)),
      code_base_(tracee.address_of(program)),
      random_(seed) {
  examiner_ =
      std::make_unique<shm::test::Examiner>(mirror_, geometry_, shm::system_clocks(), crash_counts_, seed);
  examiner_->where = [this] { return where_; };
  examiner_->go_on = [this](shm::Engine& engine, shm::Reader& reader) {
    const auto key = [this] { return "k" + std::to_string(random_() % kKeys); };
    const auto value = [this] { return std::string(random_() % kValueBytes, 'g'); };
    shm::test::go_on(engine, reader, {shm::system_clocks(), key, value, true});
  };
  // A transaction's first stores: whose slot it is on, and what it aims at. Two threads write: the
  // worker, and the one that applies quotas and keeps house.
  std::vector<std::uint64_t> first_stores;
  for (const std::uint32_t area : {0u, 1u}) {
    first_stores.push_back(base_ + live_.offset_of(&live_.area(area).undo_slot));
    first_stores.push_back(base_ + live_.offset_of(&live_.area(area).undo_target));
  }
  tracee.watch(first_stores);
}

/// Brings the mirror up to date with the words there. True if one of them was changed.
bool Stepper::take_over(std::uint64_t offset, std::uint64_t bytes) {
  bool changed = false;
  const std::uint64_t end = std::min<std::uint64_t>(offset + bytes, mapping_.bytes());
  for (std::uint64_t i = offset / sizeof(Word); i * sizeof(Word) < end; ++i) {
    const Word now = load_acquire(mapping_.words() + i);
    if (mirror_[i] == now) continue;
    mirror_[i] = now;
    examiner_->stored(i);
    changed = true;
  }
  return changed;
}

/// The whole segment, block by block.
void Stepper::catch_up() {
  constexpr std::uint64_t kBlock = 4096;
  for (std::uint64_t at = 0; at < mapping_.bytes(); at += kBlock) {
    const std::uint64_t words = at / sizeof(Word);
    if (std::memcmp(mirror_.data() + words, mapping_.words() + words, kBlock) != 0) take_over(at, kBlock);
  }
}

bool Stepper::in_segment_code(std::uint64_t rip) const {
  const std::uint64_t at = rip - code_base_;
  const auto behind = std::upper_bound(code_.begin(), code_.end(), at,
                                       [](std::uint64_t a, const auto& range) { return a < range.first; });
  return behind != code_.begin() && at < std::prev(behind)->second;
}

void Stepper::learn(std::uint64_t rip) {
  std::uint8_t code[kLongestInstruction] = {};
  tracee_.peek(rip, code, sizeof code);
  if (!decoder_.learn(rip, code, sizeof code))
    throw std::runtime_error("an instruction that cannot be decoded");
}

/// Transaction::end, the only one to store there when the generation is reached.
bool Stepper::last_store(std::uint32_t area, std::uint64_t offset) const {
  const WorkerArea& its = live_.area(area);
  return offset == live_.offset_of(&its.undo_count) && load_acquire(&its.undo_count) == 0 &&
         load_acquire(&live_.slot(static_cast<std::uint32_t>(its.undo_slot)).generation) ==
             load_acquire(&its.undo_target);
}

void Stepper::step_through(const Tracee::Hit& hit) {
  const std::uint32_t area = hit.word / 2;
  tracee_.stop_others(hit.thread);
  catch_up();
  examiner_->begin();
  where_ = "instruction 0 of transaction " + std::to_string(counts_.windows);
  examiner_->examine();
  std::vector<StoreTarget> targets;
  std::uint64_t steps = 0;
  std::uint64_t logged = 0;
  for (bool last = false; !last;) {
    const user_regs_struct regs = tracee_.registers(hit.thread);
    if (decoder_.unknown(regs.rip)) learn(regs.rip);
    decoder_.targets(regs, targets);
    ++steps;
    counts_.in_segment_code += in_segment_code(regs.rip) ? 1 : 0;
    bool changed = tracee_.step(hit.thread);
    if (changed) catch_up();
    for (const StoreTarget& target : targets) {
      const std::uint64_t offset = offset_in_segment(target.address);
      if (offset >= mapping_.bytes()) continue;
      changed = take_over(offset, target.bytes) || changed;
      last = last || last_store(area, offset);
    }
    if (!changed) continue;
    where_ = "instruction " + std::to_string(steps) + " of transaction " + std::to_string(counts_.windows);
    logged = std::max<std::uint64_t>(logged, load_acquire(&live_.area(area).undo_count));
    examiner_->examine();
  }
  counts_.instructions += steps;
  ++counts_.windows;
  note_kind(area, logged);
  if (std::memcmp(mirror_.data(), mapping_.words(), mapping_.bytes()) != 0) {
    throw Finding("an instruction's store to the segment was not seen, " + where_);
  }
  examiner_->end();
  tracee_.resume_others(hit.thread);
}

/// What the transaction was about: its log is still there, only its count is not.
void Stepper::note_kind(std::uint32_t area, std::uint64_t logged) {
  std::string kind = area == 0 ? "of records" : "of quotas, or housekeeping";
  if (logged > 0) {
    shm::test::PendingLog log;
    log.slot = static_cast<std::uint32_t>(live_.area(area).undo_slot);
    log.target = live_.area(area).undo_target;
    log.pairs.assign(live_.undo_pairs(area), live_.undo_pairs(area) + logged);
    const std::string about = shm::test::kind_of(live_, log);
    if (about == "move") kind = "that move records of sparse pages";
    if (about == "free") kind = "that give pages up";
  }
  ++counts_.kinds[kind];
}

}  // namespace mayfly::test
