// libuv's handles are structs that begin alike; its functions for all of them want the common one.
#pragma once

#include <uv.h>

namespace mayfly::ingestd {

template <class Handle>
uv_handle_t* as_handle(Handle* handle) {
  return reinterpret_cast<uv_handle_t*>(handle);
}

}  // namespace mayfly::ingestd
