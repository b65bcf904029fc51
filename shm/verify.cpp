#include "shm/verify.h"

#include "shm/engine.h"
#include "shm/segment_file.h"
#include "shm/verifier.h"

namespace mayfly::shm {

namespace {

/// True when an undo log is older than its directory: the log was copied first.
bool log_is_older(const Segment& segment) {
  constexpr Word kFar = 1 << 20;  // commits between two parts of a copy
  for (std::uint32_t i = 0; i < segment.geometry().worker_areas; ++i) {
    const WorkerArea& area = segment.area(i);
    if (area.undo_count == 0 || area.undo_slot >= segment.geometry().slots) continue;
    const Word ahead = segment.slot(static_cast<std::uint32_t>(area.undo_slot)).generation - area.undo_target;
    if (ahead > 0 && ahead < kFar) return true;
  }
  return false;
}

}  // namespace

void verify_image(Word* base, const Geometry& geometry, VerifyReport& report) {
  const Segment segment(base, geometry);
  const bool stopped = segment.header().state.clean_stop != 0;
  for (std::uint32_t i = 0; i < geometry.worker_areas; ++i) {
    if (load_acquire(&segment.area(i).undo_count) != 0) report.pending = true;
  }
  if (const Result<RecoveryReport> rolled = roll_back(segment); !rolled) {
    report.errors.push_back(rolled.error().text);
    report.torn_copy = !stopped && log_is_older(segment);
  } else {
    Verifier verifier(segment, report);
    verifier.run();
    report.torn_copy = !report.errors.empty() && !stopped && verifier.newer_than_its_commits();
  }
  report.ok = report.errors.empty();
}

Result<VerifyReport> verify_file(const std::string& path, const Clocks* /*clocks*/) {
  const Result<Mapping> mapping = Mapping::open(path, false, sizeof(Header));
  if (!mapping) return mapping.error();
  const Word* live = mapping.value().words();
  const Result<Geometry> geometry = check_header(live, mapping.value().bytes(), kDataMagic);
  if (!geometry) return geometry.error().in(path);
  VerifyReport report;
  const auto generations = [&](const Word* base) {
    std::vector<Word> all;
    const Segment segment(const_cast<Word*>(base), geometry.value());
    for (std::uint32_t slot = 0; slot < geometry.value().slots; ++slot) {
      all.push_back(load_acquire(&segment.slot(slot).generation));
    }
    return all;
  };
  constexpr int kTries = 5;
  for (int attempt = 0; attempt < kTries; ++attempt) {
    report = VerifyReport{};
    const std::vector<Word> before = generations(live);
    std::vector<Word> copy(mapping.value().bytes() / 8);
    copy_out(copy.data(), live, copy.size());
    const bool moved = generations(live) != before;
    verify_image(copy.data(), geometry.value(), report);
    if (report.ok || !moved) break;
    report.torn_copy = true;
  }
  return report;
}

}  // namespace mayfly::shm
