#include "tests/fuzz/segment_rig.h"

#include <xxhash.h>

#include <cstddef>
#include <string>

#include "tests/fuzz/target.h"

namespace mayfly::fuzz {
namespace {

using shm::DirectoryId;
using shm::Engine;
using shm::Geometry;
using shm::Header;
using shm::HeaderConstants;
using shm::Kind;
using shm::Result;
using shm::Word;
using shm::Worker;

constexpr int kMaxEdits = 64;

class ImageClocks final : public shm::Clocks {
 public:
  std::uint64_t wall_ns() const override { return kImageNow.wall_ns; }
  std::uint64_t boot_ns() const override { return kImageNow.boot_ns; }
  std::uint64_t mono_ns() const override { return 500'000'000'000; }
};

void seal_header(Image& image) {
  auto& constants = *reinterpret_cast<HeaderConstants*>(image.data());
  constants.checksum = XXH3_64bits(&constants, offsetof(HeaderConstants, checksum));
}

Geometry plan() {
  shm::GeometryRequest request;
  request.bytes = 192 << 10;
  request.page_bytes = 1024;
  request.undo_pairs = 256;
  request.slots = 3;
  request.worker_areas = 2;
  return plan_geometry(request).value();
}

std::vector<Image> make_images() {
  const Geometry geometry = plan();
  Image memory(geometry.total_bytes / 8, 0);
  shm::format_segment(memory.data(), geometry, 77, kImageNow.wall_ns);
  // Drawn at random at birth: inputs must mean the same in every process.
  reinterpret_cast<HeaderConstants*>(memory.data())->hash_seed = 4711;
  seal_header(memory);
  const std::unique_ptr<Engine> engine = attach_image(memory);
  engine->workers[0]->now = kImageNow;
  engine->compact_eagerly = true;
  for (const Kind kind : {Kind::log, Kind::status}) {
    const DirectoryId id = engine->open_directory(*engine->workers[0], spec_of(kind, 20'000)).value();
    for (int round = 0; round < 6; ++round) append_some(*engine, id, 60);
  }
  std::vector<Image> images{memory};
  for (const DirectoryId id : {0u, 1u}) {
    Worker w(*engine->workers[0]);
    require(w.begin(id, kImageNow), "a directory");
    for (int i = 0; i < 20; ++i) w.append("k" + std::to_string(i), std::string(100, 'w'));
    images.push_back(memory);
    w.commit();
  }
  Worker w(*engine->workers[0]);
  require(w.begin(1, kImageNow), "a directory");
  for (int i = 0; i < 45; ++i) w.append("many" + std::to_string(i), "v");
  w.commit();
  images.push_back(memory);
  return images;
}

}  // namespace

const shm::Clocks& image_clocks() {
  static const ImageClocks clocks;
  return clocks;
}

shm::DirectorySpec spec_of(Kind kind, std::uint64_t total_bytes) {
  shm::Quotas q;
  q.max_keys = 50;
  q.max_value_bytes = 8000;
  q.max_total_bytes = q.max_bytes_per_key = total_bytes;
  return {kind, std::string(kind_name(kind)), q, 1, 1, 1};
}

std::unique_ptr<Engine> attach_image(Image& image) {
  const Result<Geometry> geometry = shm::check_header(image.data(), image.size() * 8, shm::kDataMagic);
  if (!geometry) return nullptr;
  Result<std::unique_ptr<Engine>> engine = Engine::attach(image.data(), geometry.value(), 4, image_clocks());
  if (!engine) return nullptr;
  engine.value()->corruption_handler = [](const std::string&) { throw CorruptSegment{}; };
  return std::move(engine.value());
}

void append_some(Engine& engine, DirectoryId id, int n) {
  Worker w(*engine.workers[0]);
  if (!w.begin(id, kImageNow)) return;
  for (int i = 0; i < n; ++i) {
    const std::string key = "k" + std::to_string(i * 7 % 23);
    w.append(key, std::string(static_cast<std::size_t>(i % 19 == 3 ? 3000 : i * 13 % 150), 'v'));
    if (i % 11 == 0) w.unset("k" + std::to_string(i % 23));
  }
  w.commit();
}

Image choose_image(Input& input) {
  static const std::vector<Image> images = make_images();
  return images[input.below(images.size())];
}

void edit_image(Image& image, Input& input) {
  static const Geometry g = plan();
  const std::uint64_t bounds[] = {0,
                                  sizeof(HeaderConstants),
                                  sizeof(Header),
                                  g.slots_at,
                                  g.stamps_at,
                                  g.page_words_at,
                                  g.lines_at,
                                  g.pages_at,
                                  g.total_bytes};
  const bool sealed = !input.flag();
  for (int n = 0; n < kMaxEdits && !input.empty(); ++n) {
    const std::size_t part = input.below(std::size(bounds) - 1);
    const std::uint64_t first = bounds[part] / 8;
    Word& word = image[first + input.below(bounds[part + 1] / 8 - first)];
    switch (input.below(6)) {
      case 0:
        word = input.number(8);
        break;
      case 1:
        word ^= Word{1} << input.below(64);
        break;
      case 2:
        word += static_cast<Word>(static_cast<std::int8_t>(input.byte()));
        break;
      case 3:
        word = image[input.below(image.size())];
        break;
      case 4:
        word = input.byte();
        break;
      default:  // one byte, which is all that some fields have
        word = (word & ~(Word{0xff} << 8)) | (Word{input.byte()} << 8);
    }
  }
  if (sealed) seal_header(image);
}

}  // namespace mayfly::fuzz
