// The tunnel's messages: what is read says the same after being written and read again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "common/tunnel_wire.h"

namespace {

bool same(const std::vector<mayfly::WrappedRequest>& a, const std::vector<mayfly::WrappedRequest>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].id != b[i].id || a[i].method != b[i].method || a[i].uri != b[i].uri ||
        a[i].headers != b[i].headers)
      return false;
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto first = mayfly::decode_requests(bytes); first.ok()) {
    const auto again = mayfly::decode_requests(mayfly::encode_requests(first.value()));
    if (!again.ok() || !same(first.value(), again.value())) std::abort();
  }
  if (const auto first = mayfly::decode_head(bytes); first.ok()) {
    const auto again = mayfly::head_from_header(mayfly::head_to_header(first.value()));
    if (!again.ok() || again.value().status != first.value().status ||
        again.value().headers != first.value().headers)
      std::abort();
  }
  (void)mayfly::head_from_header(bytes);
  return 0;
}
