// MessagePack read from the front, one value at a time, by a reader that knows what must come next.
//
// The tokens are msgpack-cxx's; what it hides in its own object tree (which integer form was used,
// string or binary) stays visible here. Belongs to one thread; `bytes` outlives it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mayfly {

struct MsgpackToken {
  enum class Kind {
    none,           // the input ends here, or is no MessagePack
    nil,            //
    number,         // fixint, uint 8 to 64
    signed_number,  // int 8 to 64 that is not negative
    text,           // a string: any bytes, nobody has looked whether they are UTF-8
    binary,         //
    array,          // `number` entries follow
    map,            // `number` pairs follow
    other,          // negative, float, boolean, extension
  };
  Kind kind = Kind::none;
  std::uint64_t number = 0;
  std::string_view text;  // of text and binary; points into the input
};

/// Announced sizes reserve nothing, nesting costs no stack: work and memory are bounded by the input.
class MsgpackCursor {
 public:
  explicit MsgpackCursor(std::string_view bytes) : bytes_(bytes) {}

  /// The next token; of an array or a map only its head. After Kind::none nothing else comes.
  MsgpackToken next();
  /// Passes over one value with all that is in it. False: there is no complete one.
  bool skip();
  /// Appends an array of integers 0 to 255. False: it is something else.
  bool read_byte_array(std::string& out);
  /// Makes everything that follows unreadable.
  void stop() { stopped_ = true; }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
  bool stopped_ = false;
};

}  // namespace mayfly
