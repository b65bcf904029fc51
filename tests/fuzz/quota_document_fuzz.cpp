// The quota document: what is accepted says the same after being written and read again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "common/quota_document.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto first = mayfly::parse_quota_document({reinterpret_cast<const char*>(data), size});
  if (!first.ok()) return 0;
  const auto again = mayfly::parse_quota_document(mayfly::emit_quota_document(first.value()));
  if (!again.ok() || !(again.value() == first.value())) std::abort();
  return 0;
}
