// mayfly.json of an ingestd that has its runtime directory for itself alone (--peer-dir): what a
// supervisor would write, as far as ingestd knows it.
#pragma once

#include "common/runtime_dir.h"
#include "ingestd/listener.h"

namespace mayfly::ingestd {

/// Writes it; a failure is a warning. `running` false: at a clean end, the sockets may outlive us.
void write_info_file(const RuntimePaths& paths, const Listeners& listeners, bool running);

}  // namespace mayfly::ingestd
