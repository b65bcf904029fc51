// The certificate that the hub serves with, and whether its files have changed since.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/tls_context.h"
#include "hubd/hub_config.h"
#include "shm/result.h"

namespace mayfly::hubd {

struct ServedTls {
  std::shared_ptr<TlsContext> context;  // null: in the clear
  std::string files;                    // names, identities and times of the files it was read from
};

/// What the files that `tls` names look like now. Empty: there are none.
std::string look_at_tls_files(const std::optional<TlsFiles>& tls);

/// Errors: invalid, with the place in the hub's file and what is wrong with the certificate or key.
shm::Result<ServedTls> load_tls(const std::optional<TlsFiles>& tls);

}  // namespace mayfly::hubd
