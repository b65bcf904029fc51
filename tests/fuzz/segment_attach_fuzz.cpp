// The writer on a hostile data segment: it refuses it, or says that it contradicts itself, or writes on;
// it ends and stays within the memory. And what it says nothing about after the validator found nothing
// wrong, it leaves such that the validator still finds nothing.
#include "shm/verify.h"
#include "tests/fuzz/segment_rig.h"
#include "tests/fuzz/target.h"

namespace mayfly::fuzz::segment_attach {

using namespace mayfly::shm;  // NOLINT(google-build-using-namespace)

bool is_sound(Image image) {  // a copy: the validator rolls back in place
  const Result<Geometry> geometry = check_header(image.data(), image.size() * 8, kDataMagic);
  if (!geometry) return false;
  VerifyReport report;
  verify_image(image.data(), geometry.value(), report);
  return report.ok;
}

/// All that a writer does: fill up, lower and raise quotas, close, open.
void write_on(Engine& engine) {
  WorkerState& state = *engine.workers[0];
  state.now = kImageNow;
  for (const DirectoryId id : {0u, 1u}) {
    const Kind kind = id == 0 ? Kind::log : Kind::status;
    append_some(engine, id, 70);
    const auto change = [&](std::uint64_t total) {
      engine.with_directory(state, id, [&](Directory& d) { d.apply_quotas(state, spec_of(kind, total)); });
    };
    change(3000);
    append_some(engine, id, 30);
    change(1 << 20);
    append_some(engine, id, 150);
  }
  engine.close_directory(state, 0, false);
  if (const auto id = engine.open_directory(state, spec_of(Kind::log, 9000)); id)
    append_some(engine, id.value(), 40);
}

void run(std::string_view bytes) {
  Input input(bytes);
  Image image = choose_image(input);
  edit_image(image, input);
  const bool sound = is_sound(image);
  try {
    if (const std::unique_ptr<Engine> engine = attach_image(image)) {
      write_on(*engine);
      require(!sound || is_sound(image), "a sound segment stays sound");
    } else {
      require(!sound, "a sound segment is not refused");
    }
  } catch (const CorruptSegment&) {
    require(!sound, "a sound segment does not contradict itself");
  }
}

}  // namespace mayfly::fuzz::segment_attach

MAYFLY_FUZZ_TARGET(segment_attach, mayfly::fuzz::segment_attach::run)
