// The tunnel's messages: what is read says the same after being written and read again.
#include "common/tunnel_wire.h"
#include "tests/fuzz/target.h"

namespace mayfly::fuzz::tunnel_wire {

bool same(const std::vector<WrappedRequest>& a, const std::vector<WrappedRequest>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].id != b[i].id || a[i].method != b[i].method || a[i].uri != b[i].uri ||
        a[i].headers != b[i].headers)
      return false;
  }
  return true;
}

void run(std::string_view input) {
  if (const auto first = decode_requests(input); first.ok()) {
    const auto again = decode_requests(encode_requests(first.value()));
    require(again.ok() && same(first.value(), again.value()), "requests come back from their bytes");
  }
  if (const auto first = decode_head(input); first.ok()) {
    const auto again = head_from_header(head_to_header(first.value()));
    require(again.ok() && again.value().status == first.value().status &&
                again.value().headers == first.value().headers,
            "an answer's head comes back from its header");
  }
  static_cast<void>(head_from_header(input));
}

}  // namespace mayfly::fuzz::tunnel_wire

MAYFLY_FUZZ_TARGET(tunnel_wire, mayfly::fuzz::tunnel_wire::run)
