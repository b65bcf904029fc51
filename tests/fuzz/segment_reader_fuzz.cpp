// A data segment with any words changed: readers, the validator, recovery and the writer must end,
// stay within the memory, and say so where the bytes make no sense. An input is a list of edits.
#include <fuzzer/FuzzedDataProvider.h>
#include <xxhash.h>

#include <cstddef>
#include <cstdlib>
#include <vector>

#include "shm/engine.h"
#include "shm/reader.h"
#include "shm/verify.h"

namespace {

using namespace mayfly::shm;  // NOLINT(google-build-using-namespace)

class FixedClocks final : public Clocks {
 public:
  std::uint64_t wall_ns() const override { return 1'700'000'000'000'000'000; }
  std::uint64_t boot_ns() const override { return 1'000'000'000'000; }
  std::uint64_t mono_ns() const override { return 500'000'000'000; }
};
const FixedClocks kClocks;
constexpr Now kNow{1'700'000'000'000'000'000, 1'000'000'000'000};

struct CorruptSegment {};

using Image = std::vector<Word>;

Geometry plan() {
  GeometryRequest request;
  request.bytes = 192 << 10;
  request.page_bytes = 1024;
  request.undo_pairs = 256;
  request.slots = 3;
  request.worker_areas = 2;
  return plan_geometry(request).value();
}

DirectorySpec spec_of(Kind kind, std::uint64_t total_bytes) {
  Quotas q;
  q.max_keys = 50;
  q.max_value_bytes = 8000;
  q.max_total_bytes = q.max_bytes_per_key = total_bytes;
  return {kind, std::string(kind_name(kind)), q, 1, 1, 1};
}

std::unique_ptr<Engine> attach(Image& image) {
  const Result<Geometry> geometry = check_header(image.data(), image.size() * 8, kDataMagic);
  if (!geometry) return nullptr;
  Result<std::unique_ptr<Engine>> engine = Engine::attach(image.data(), geometry.value(), 4, kClocks);
  if (!engine) return nullptr;
  engine.value()->corruption_handler = [](const std::string&) { throw CorruptSegment{}; };
  return std::move(engine.value());
}

void append_some(Engine& engine, DirectoryId id, int n) {
  Worker w(*engine.workers[0]);
  if (!w.begin(id, kNow)) return;
  for (int i = 0; i < n; ++i) {
    const std::string key = "k" + std::to_string(i * 7 % 23);
    w.append(key, std::string(static_cast<std::size_t>(i % 19 == 3 ? 3000 : i * 13 % 150), 'v'));
    if (i % 11 == 0) w.unset("k" + std::to_string(i % 23));
  }
  w.commit();
}

/// Quiet, and in the middle of a batch of either kind.
std::vector<Image> make_images() {
  const Geometry geometry = plan();
  Image memory(geometry.total_bytes / 8, 0);
  format_segment(memory.data(), geometry, 77, kNow.wall_ns);
  const std::unique_ptr<Engine> engine = attach(memory);
  engine->workers[0]->now = kNow;
  engine->compact_eagerly = true;
  for (const Kind kind : {Kind::log, Kind::status}) {
    const DirectoryId id = engine->open_directory(*engine->workers[0], spec_of(kind, 20'000)).value();
    for (int round = 0; round < 6; ++round) append_some(*engine, id, 60);
  }
  std::vector<Image> images{memory};
  for (const DirectoryId id : {0u, 1u}) {
    Worker w(*engine->workers[0]);
    if (!w.begin(id, kNow)) std::abort();
    for (int i = 0; i < 20; ++i) w.append("k" + std::to_string(i), std::string(100, 'w'));
    images.push_back(memory);
    w.commit();
  }
  return images;
}

void edit(Image& image, FuzzedDataProvider& input) {
  const Geometry g = plan();
  // Small parts would hardly be met by chance.
  const std::uint64_t bounds[] = {0,
                                  sizeof(HeaderConstants),
                                  sizeof(Header),
                                  g.slots_at,
                                  g.stamps_at,
                                  g.page_words_at,
                                  g.lines_at,
                                  g.pages_at,
                                  g.total_bytes};
  for (int n = 0; n < 64 && input.remaining_bytes() > 3; ++n) {
    const auto part = input.ConsumeIntegralInRange<std::size_t>(0, std::size(bounds) - 2);
    const auto at = input.ConsumeIntegralInRange<std::uint64_t>(bounds[part] / 8, bounds[part + 1] / 8 - 1);
    switch (input.ConsumeIntegralInRange<int>(0, 4)) {
      case 0:
        image[at] = input.ConsumeIntegral<Word>();
        break;
      case 1:
        image[at] ^= Word{1} << input.ConsumeIntegralInRange<int>(0, 63);
        break;
      case 2:
        image[at] += static_cast<Word>(input.ConsumeIntegral<std::int8_t>());
        break;
      case 3:
        image[at] = image[input.ConsumeIntegralInRange<std::uint64_t>(0, image.size() - 1)];
        break;
      default:
        image[at] = input.ConsumeIntegral<std::uint8_t>();
    }
  }
  auto& constants = *reinterpret_cast<HeaderConstants*>(image.data());
  constants.checksum = XXH3_64bits(&constants, offsetof(HeaderConstants, checksum));
}

void read_everything(const Image& image) {
  Result<Reader> opened = Reader::over(image.data(), image.size() * 8, kClocks);
  if (!opened) return;
  Reader& reader = opened.value();
  const SegmentInfo info = reader.info();
  std::uint64_t seen = info.pages_free;
  for (const DirectoryInfo& d : reader.directories()) {
    const Reader::Snapshot snapshot = reader.snapshot(d);
    for (const RecordView& r : snapshot.records) seen += XXH3_64bits(r.value.data(), r.value.size());
    Cursor cursor;
    ReadLimits limits;
    limits.max_bytes = ~0ull;
    std::uint64_t last = 0;
    reader.read(d, cursor, limits, [&](const RecordView& r) {
      if (r.seq <= last) std::abort();  // whatever the bytes: rising, nothing twice
      last = r.seq;
      seen += XXH3_64bits(r.key.data(), r.key.size()) + XXH3_64bits(r.value.data(), r.value.size());
      return true;
    });
    cursor = {d.next_seq / 2, seen};
    reader.read(d, cursor, {}, [](const RecordView&) { return true; });
    seen += reader.seek_last(d, 3, nullptr);
    seen += reader.seek_last(d, 2, [](const RecordView& r) { return r.key == "k3"; });
    seen += reader.seek_time(d, kNow.wall_ns + 5);
    seen += reader.get(d, "k5").has_value() + reader.get(d, "none").has_value();
    reader.find(d.name);
  }
}

void write_on(Image image) {
  try {
    const std::unique_ptr<Engine> engine = attach(image);
    if (engine == nullptr) return;
    WorkerState& state = *engine->workers[0];
    state.now = kNow;
    for (const DirectoryId id : {0u, 1u}) {
      const Kind kind = id == 0 ? Kind::log : Kind::status;
      append_some(*engine, id, 70);
      const auto change = [&](std::uint64_t total) {
        engine->with_directory(state, id, [&](Directory& d) { d.apply_quotas(state, spec_of(kind, total)); });
      };
      change(3000);
      append_some(*engine, id, 30);
      change(1 << 20);
      append_some(*engine, id, 150);
    }
    engine->close_directory(state, 0, false);
    if (const auto id = engine->open_directory(state, spec_of(Kind::log, 9000)); id)
      append_some(*engine, id.value(), 40);
  } catch (const CorruptSegment&) {  // said so
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<Image> images = make_images();
  FuzzedDataProvider input(data, size);
  Image image = images[input.ConsumeIntegralInRange<std::size_t>(0, images.size() - 1)];
  edit(image, input);
  read_everything(image);
  write_on(image);
  const Result<Geometry> geometry = check_header(image.data(), image.size() * 8, kDataMagic);
  VerifyReport report;
  if (geometry) verify_image(image.data(), geometry.value(), report);
  return 0;
}
