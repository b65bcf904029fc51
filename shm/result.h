// Errors as values: what failed, with the context that each level adds.
#pragma once

#include <cassert>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace mayfly::shm {

/// What a caller can act upon. `text` in Error is for people.
enum class Errc {
  not_found,          // no such file: a normal state before the writer's first start
  not_ready,          // a half-made file; retry, it is replaced or completed
  wrong_version,      // another layout version or another machine's byte order
  corrupt,            // not a segment of ours, or damaged
  not_memory_backed,  // the directory lies on a disk
  untrusted,          // a symlink, a stranger's, or writable for others
  no_space,           // the file system cannot hold it
  busy,               // another writer holds the lock
  invalid,            // an argument out of its range
  io,                 // the operating system said no
};

const char* errc_name(Errc code);

struct Error {
  Errc code;
  std::string text;

  /// Adds what the caller was doing: "opening x: <text>".
  Error in(const std::string& doing) const { return {code, doing + ": " + text}; }
};

/// An Error made from errno, with what was being done.
Error os_error(Errc code, const std::string& doing, int error_number);

/// Either a value or an Error. Check ok() before value().
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : value_(std::move(error)) {}  // NOLINT(google-explicit-constructor)
  bool ok() const { return std::holds_alternative<T>(value_); }
  explicit operator bool() const { return ok(); }
  T& value() {
    assert(ok());
    return *std::get_if<T>(&value_);
  }
  const T& value() const {
    assert(ok());
    return *std::get_if<T>(&value_);
  }
  const Error& error() const {
    assert(!ok());
    return *std::get_if<Error>(&value_);
  }

 private:
  std::variant<T, Error> value_;
};

/// Success, or an Error.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)
  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Error& error() const {
    assert(!ok());
    return *error_;
  }

 private:
  std::optional<Error> error_;
};

}  // namespace mayfly::shm
