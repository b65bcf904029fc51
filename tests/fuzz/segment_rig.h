// Data segments with any words changed: what a hostile or damaged file may hold.
#pragma once

#include <memory>
#include <vector>

#include "shm/engine.h"
#include "tests/fuzz/input.h"

namespace mayfly::fuzz {

using Image = std::vector<shm::Word>;

inline constexpr shm::Now kImageNow{1'700'000'000'000'000'000, 1'000'000'000'000};

/// Thrown where the writer finds that a segment contradicts itself; ingestd ends there.
struct CorruptSegment {};

const shm::Clocks& image_clocks();

/// A segment with a log (slot 0) and a status (slot 1) that have turned over several times: at rest, in
/// the middle of a batch of either, and one where index pages have split. One of them, by choice.
Image choose_image(Input& input);

/// Changes up to 64 words anywhere in it, as the input says, all of whose parts are met equally often.
/// Its header's checksum is right afterwards, unless the input wants it wrong.
void edit_image(Image& image, Input& input);

/// The writer's engine on it, which throws CorruptSegment; null where the segment is refused.
std::unique_ptr<shm::Engine> attach_image(Image& image);

/// What a program may write: `n` records of various sizes to a directory, and some removals.
void append_some(shm::Engine& engine, shm::DirectoryId id, int n);
shm::DirectorySpec spec_of(shm::Kind kind, std::uint64_t total_bytes);

}  // namespace mayfly::fuzz
