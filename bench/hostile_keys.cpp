#include "bench/hostile_keys.h"

#include <xxhash.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include "bench/scratch.h"
#include "bench/timing.h"
#include "shm/clock.h"
#include "shm/layout.h"
#include "shm/writer.h"

namespace mayfly::bench {
namespace {

constexpr std::size_t kKeys = 1000;
// Bits of the hash that choose the index page, and then the place in it; as many as a minute's search
// on one machine would give an attacker, and a second gives here.
constexpr std::uint64_t kColliding = (1u << 15) - 1;
constexpr int kRounds = 9;
constexpr int kWrites = 20;  // of each key, a round

using Keys = std::vector<std::string>;

Keys any_keys() {
  Keys keys;
  for (std::size_t i = 0; i < kKeys; ++i) keys.push_back("key-" + std::to_string(i * 7919 % 100'000'000));
  return keys;
}

Keys colliding_keys(std::uint64_t seed) {
  Keys keys;
  for (std::uint64_t i = 0; keys.size() < kKeys; ++i) {
    std::string key = "key-" + std::to_string(i);
    if ((XXH3_64bits_withSeed(key.data(), key.size(), seed) & kColliding) == 42)
      keys.push_back(std::move(key));
  }
  return keys;
}

std::uint64_t seed_of(const std::string& segment) {
  shm::HeaderConstants constants{};
  std::ifstream(segment, std::ios::binary).read(reinterpret_cast<char*>(&constants), sizeof constants);
  return constants.hash_seed;
}

struct Measured {
  double ns = 0;
  std::size_t stored = 0;  // of the keys
};

Measured write_all(shm::Writer& writer, const std::string& name, const Keys& keys) {
  shm::Worker worker = writer.worker(0);
  const shm::Now now{shm::system_clocks().wall_ns(), shm::system_clocks().boot_ns()};
  shm::DirectorySpec spec;
  spec.kind = shm::Kind::status;
  spec.name = name;
  const auto opened = writer.open_directory(worker, spec, now);
  if (!opened.ok()) give_up(opened.error().text);
  Measured measured;
  const std::uint64_t begin = mono_ns();
  for (int round = 0; round < kWrites; ++round) {
    measured.stored = 0;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (i % 100 == 0 && !worker.begin(opened.value(), now)) give_up("the directory is gone");
      if (worker.append(keys[i], "v").stored) ++measured.stored;
      if (i % 100 == 99) worker.commit();
    }
  }
  measured.ns = static_cast<double>(mono_ns() - begin) / static_cast<double>(kWrites * keys.size());
  writer.remove_directory(worker, opened.value(), now);
  return measured;
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + kRounds / 2, values.end());
  return values[kRounds / 2];
}

}  // namespace

KeysOutcome run_keys() {
  const Scratch scratch;
  shm::WriterOptions options;
  options.path = scratch.file("data");
  options.bytes = 16 << 20;
  auto writer = shm::Writer::open(options);
  if (!writer.ok()) give_up(writer.error().text);
  const Keys sets[] = {any_keys(), colliding_keys(0), colliding_keys(seed_of(options.path))};
  std::vector<double> ns[3];
  std::size_t stored[3] = {};
  for (int round = 0; round < kRounds; ++round) {
    for (int i = 0; i < 3; ++i) {
      const Measured measured = write_all(*writer.value(), "set-" + std::to_string(i), sets[i]);
      ns[i].push_back(measured.ns);
      stored[i] = measured.stored;
    }
  }
  return {kKeys, median(ns[0]), median(ns[1]), stored[1], median(ns[2]), stored[2]};
}

}  // namespace mayfly::bench
