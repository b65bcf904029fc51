// A whole session in the native dialect (session_rig.h).
#include "tests/fuzz/session_rig.h"
#include "tests/fuzz/target.h"

namespace mayfly::fuzz::native_session {

void run(std::string_view input) { fuzz_session(ingestd::Protocol::native, input); }

}  // namespace mayfly::fuzz::native_session

MAYFLY_FUZZ_TARGET(native_session, mayfly::fuzz::native_session::run)
