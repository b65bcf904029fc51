// Answers that are open, so that one ends at once when its reader loses the right to it.
//
// Every answer to a reader goes through here: guard() hands out a writer that passes everything on
// to the real one, and that can be cut off from here.
#pragma once

#include <uv.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "common/http_message.h"
#include "hubd/access.h"
#include "hubd/identity.h"

namespace mayfly::hubd {

/// What an answer was opened for.
struct Claim {
  Credential credential;
  ReaderPtr reader;       // with the rights it had then
  std::string server;     // empty: several, or none
  std::string directory;  // empty: all that the reader may see of the server
};

/// True where `now` (null: nobody any more) may still have what `claim` was opened for.
bool still_covered(const Claim& claim, const ReaderPtr& now);

/// Belongs to the loop's thread. The writers may outlive it.
class OpenReads {
 public:
  /// The status of the answer's head; 0: the reader left before there was one.
  using OnAnswer = std::function<void(int status)>;

  explicit OpenReads(uv_loop_t* loop);

  /// `answered` is called once. A head gets `Cross-Origin-Resource-Policy: same-origin`.
  ResponseWriterPtr guard(ResponseWriterPtr response, Claim claim, OnAnswer answered);
  /// Cuts off every answer for which `allowed` does not hold. Its handler sees its reader go away.
  std::size_t cut_off(const std::function<bool(const Claim&)>& allowed);
  std::size_t size() const;

  /// One open answer or stream.
  class Open {
   public:
    virtual ~Open() = default;
    virtual void cut_off() = 0;
    Claim claim;
  };
  struct Registry;

 private:
  std::shared_ptr<Registry> registry_;
};

}  // namespace mayfly::hubd
