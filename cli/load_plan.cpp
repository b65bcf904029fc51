#include "cli/load_plan.h"

#include <algorithm>
#include <array>

#include "cli/resp_writer.h"

namespace mayfly::cli {

using shm::Errc;
using shm::Error;
using shm::Result;

namespace {

constexpr std::size_t kMaxBlockBytes = 1 << 30;
constexpr std::size_t kLeastOverhead = 16;  // of a command, beside its value
constexpr std::size_t kBarrierEvery = 256 << 10;

// Printable, different from record to record.
void fill_value(std::string& value, std::uint64_t number) {
  std::uint64_t state = number * 0x9E3779B97F4A7C15ull + 1;
  for (char& c : value) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    c = static_cast<char>('a' + (state >> 59) % 26);
  }
}

void append_line(std::string& out, std::string_view command, std::string_view directory, std::string_view key,
                 std::string_view value) {
  for (const auto part : {command, directory, key}) (out += part) += ' ';
  (out += value) += '\n';
}

void append_record(std::string& out, const LoadPlan& plan, std::string_view directory, std::string_view key,
                   std::string_view value) {
  const bool log = plan.kind == shm::Kind::log;
  const std::string_view command = log ? "LOG" : "STATUS";
  if (plan.dialect == Dialect::line) {
    append_line(out, command, directory, key, value);
  } else if (plan.dialect == Dialect::resp) {
    append_resp_command(out, std::array{command, directory, key, value});
  } else if (log) {
    append_resp_command(out, std::array<std::string_view, 5>{"XADD", directory, "*", key, value});
  } else {
    append_resp_command(out, std::array<std::string_view, 4>{"HSET", directory, key, value});
  }
}

}  // namespace

std::string LoadPlan::directory(std::uint32_t index) const {
  return prefix + "-" + std::string(shm::kind_name(kind)) + "-" + std::to_string(index);
}

Result<LoadBlock> LoadBlock::make(const LoadPlan& plan) {
  if (std::uint64_t{plan.keys} * plan.directories > kMaxBlockBytes / (plan.value_bytes + kLeastOverhead)) {
    return Error{Errc::invalid,
                 "one record for each key of each directory: that is more than 1 GiB; fewer "
                 "--keys or --directories, or a smaller --size"};
  }
  LoadBlock block;
  auto& bytes = block.bytes_;
  std::string value(plan.value_bytes, 'x');
  const std::uint64_t round = std::uint64_t{plan.keys} * plan.directories;
  const auto enough = std::max<std::size_t>(plan.batch_bytes, kBarrierEvery);
  const bool with_barriers = plan.dialect != Dialect::redis;  // there each record is answered
  std::size_t last_barrier = 0;
  for (std::uint64_t i = 0; i < round || bytes.size() < enough; ++i) {
    const auto place = i % round;
    const auto directory = plan.directory(static_cast<std::uint32_t>(place % plan.directories));
    fill_value(value, i);
    append_record(bytes, plan, directory, "key-" + std::to_string(place / plan.directories), value);
    block.ends_.push_back(bytes.size());
    if (bytes.size() - last_barrier < kBarrierEvery || !with_barriers) continue;
    block.add_barrier();
    last_barrier = bytes.size();
  }
  if (with_barriers && last_barrier != bytes.size()) block.add_barrier();
  return block;
}

void LoadBlock::add_barrier() {
  barriers_.push_back({bytes_.size(), bytes_.size() + kLoadBarrier.size(), ends_.size()});
  bytes_ += kLoadBarrier;
}

std::string_view LoadBlock::piece(std::uint64_t place, std::uint64_t max_bytes) const {
  return std::string_view(bytes_).substr(place % bytes_.size(), max_bytes);
}

std::size_t LoadBlock::whole_in_round(std::size_t offset) const {
  return static_cast<std::size_t>(std::upper_bound(ends_.begin(), ends_.end(), offset) - ends_.begin());
}

std::uint64_t LoadBlock::whole_at(std::uint64_t place) const {
  return place / bytes_.size() * ends_.size() + whole_in_round(place % bytes_.size());
}

std::uint64_t LoadBlock::place_of(std::uint64_t records) const {
  const auto rest = records % ends_.size();
  return records / ends_.size() * bytes_.size() + (rest == 0 ? 0 : ends_[rest - 1]);
}

std::uint64_t LoadBlock::boundary(std::uint64_t place) const {
  const std::size_t offset = place % bytes_.size();
  const auto whole = whole_in_round(offset);
  if (offset == (whole == 0 ? 0 : ends_[whole - 1])) return place;
  const auto barrier = std::lower_bound(barriers_.begin(), barriers_.end(), offset,
                                        [](const Barrier& one, std::size_t at) { return one.end < at; });
  const bool inside_barrier = barrier != barriers_.end() && barrier->begin < offset;
  return place - offset + (inside_barrier ? barrier->end : ends_[whole]);
}

std::uint64_t LoadBlock::barriers_at(std::uint64_t place) const {
  const std::size_t offset = place % bytes_.size();
  const auto passed = std::upper_bound(barriers_.begin(), barriers_.end(), offset,
                                       [](std::size_t at, const Barrier& one) { return at < one.end; });
  return place / bytes_.size() * barriers_.size() + static_cast<std::uint64_t>(passed - barriers_.begin());
}

std::uint64_t LoadBlock::records_before(std::uint64_t barrier) const {
  return barrier / barriers_.size() * ends_.size() + barriers_[barrier % barriers_.size()].records;
}

}  // namespace mayfly::cli
