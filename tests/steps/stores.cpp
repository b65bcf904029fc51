#include "tests/steps/stores.h"

namespace mayfly::test {

StoreDecoder::StoreDecoder() {
  ZydisDecoderInit(&decoder_, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
}

bool StoreDecoder::learn(std::uint64_t rip, const std::uint8_t* code, std::size_t bytes) {
  ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
  Known known{};
  if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder_, code, bytes, &known.instruction, operands)))
    return false;
  for (std::size_t i = 0; i < known.instruction.operand_count; ++i) {
    const ZydisDecodedOperand& operand = operands[i];
    if (operand.type != ZYDIS_OPERAND_TYPE_MEMORY ||
        (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) == 0) {
      continue;
    }
    if (operand.mem.segment == ZYDIS_REGISTER_FS || operand.mem.segment == ZYDIS_REGISTER_GS) continue;
    known.stores.push_back(operand);
  }
  known_.emplace(rip, std::move(known));
  return true;
}

void StoreDecoder::targets(const user_regs_struct& regs, std::vector<StoreTarget>& out) {
  out.clear();
  const Known& known = known_.at(regs.rip);
  if (known.stores.empty()) return;
  const std::uint64_t values[] = {regs.rax, regs.rcx, regs.rdx, regs.rbx, regs.rsp, regs.rbp,
                                  regs.rsi, regs.rdi, regs.r8,  regs.r9,  regs.r10, regs.r11,
                                  regs.r12, regs.r13, regs.r14, regs.r15};
  for (std::size_t i = 0; i < std::size(values); ++i) context_.values[ZYDIS_REGISTER_RAX + i] = values[i];
  for (const ZydisDecodedOperand& operand : known.stores) {
    std::uint64_t address = 0;
    if (ZYAN_SUCCESS(
            ZydisCalcAbsoluteAddressEx(&known.instruction, &operand, regs.rip, &context_, &address))) {
      out.push_back({address, operand.size / 8u});
    }
  }
}

}  // namespace mayfly::test
