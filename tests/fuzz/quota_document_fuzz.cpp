// The quota document: what is accepted says the same after being written and read again.
#include "common/quota_document.h"
#include "tests/fuzz/target.h"

namespace mayfly::fuzz::quota_document {

void run(std::string_view input) {
  const auto first = parse_quota_document(input);
  if (!first.ok()) return;
  const auto again = parse_quota_document(emit_quota_document(first.value()));
  require(again.ok() && again.value() == first.value(), "what was read is what is written");
}

}  // namespace mayfly::fuzz::quota_document

MAYFLY_FUZZ_TARGET(quota_document, mayfly::fuzz::quota_document::run)
