// Which memory an instruction stores to, known before it runs.
#pragma once

#include <Zydis/Zydis.h>
#include <sys/user.h>

#include <cstdint>
#include <unordered_map>
#include <vector>

namespace mayfly::test {

struct StoreTarget {
  std::uint64_t address = 0;
  std::uint64_t bytes = 0;
};

/// Decodes each instruction once. x86-64. Stores through fs and gs (a thread's own data) are left out.
class StoreDecoder {
 public:
  StoreDecoder();
  /// True if the instruction at `rip` must be shown to learn() first.
  bool unknown(std::uint64_t rip) const { return !known_.contains(rip); }
  /// `code`: the bytes at `rip`, at least one instruction's. False if they are none.
  bool learn(std::uint64_t rip, const std::uint8_t* code, std::size_t bytes);
  /// What the instruction at regs.rip is about to store to.
  void targets(const user_regs_struct& regs, std::vector<StoreTarget>& out);

 private:
  struct Known {
    ZydisDecodedInstruction instruction;
    std::vector<ZydisDecodedOperand> stores;
  };
  ZydisDecoder decoder_;
  std::unordered_map<std::uint64_t, Known> known_;
  ZydisRegisterContext context_{};
};

}  // namespace mayfly::test
