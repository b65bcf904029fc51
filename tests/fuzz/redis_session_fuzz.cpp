// A whole session in the redis dialect (session_rig.h).
#include "tests/fuzz/session_rig.h"
#include "tests/fuzz/target.h"

namespace mayfly::fuzz::redis_session {

void run(std::string_view input) { fuzz_session(ingestd::Protocol::redis, input); }

}  // namespace mayfly::fuzz::redis_session

MAYFLY_FUZZ_TARGET(redis_session, mayfly::fuzz::redis_session::run)
