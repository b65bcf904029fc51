#include "common/password_hash.h"

#include <crypt.h>
#include <openssl/crypto.h>

#include <cstdlib>
#include <cstring>
#include <memory>

namespace mayfly {
namespace {

using shm::Errc;
using shm::Error;

/// libcrypt's scratch memory: 32 KiB, too much for a small stack, and wiped after use.
struct CryptMemory {
  crypt_data data{};
  ~CryptMemory() { OPENSSL_cleanse(&data, sizeof data); }
};

bool fit_for_crypt(const std::string& password) {
  return password.size() <= kMaxPasswordBytes && password.find('\0') == std::string::npos;
}

/// Empty where libcrypt refuses.
std::string crypt_text(const std::string& password, const std::string& setting) {
  const auto memory = std::make_unique<CryptMemory>();
  const char* hash = crypt_rn(password.c_str(), setting.c_str(), &memory->data, sizeof memory->data);
  return hash == nullptr ? std::string() : std::string(hash);
}

}  // namespace

shm::Result<std::string> hash_password(const std::string& password) {
  if (password.empty()) return Error{Errc::invalid, "the password is empty"};
  if (!fit_for_crypt(password)) {
    return Error{Errc::invalid,
                 "a password has at most " + std::to_string(kMaxPasswordBytes) + " bytes, none of them NUL"};
  }
  char setting[CRYPT_GENSALT_OUTPUT_SIZE];
  if (crypt_gensalt_rn("$y$", 0, nullptr, 0, setting, sizeof setting) == nullptr)
    return Error{Errc::io, "libcrypt makes no yescrypt salt"};
  std::string hash = crypt_text(password, setting);
  if (hash.empty()) return Error{Errc::io, "libcrypt makes no yescrypt hash"};
  return hash;
}

bool password_matches(const std::string& password, const std::string& hash) {
  static const std::string kNone;
  const bool fit = fit_for_crypt(password);
  const std::string made = crypt_text(fit ? password : kNone, hash);
  const bool same = made.size() == hash.size() && CRYPTO_memcmp(made.data(), hash.data(), made.size()) == 0;
  return same && fit && !made.empty() && !password.empty();
}

bool is_password_hash(const std::string& hash) {
  const int salt = crypt_checksalt(hash.c_str());
  return salt != CRYPT_SALT_INVALID && salt != CRYPT_SALT_METHOD_DISABLED;
}

void wipe(std::string& secret) {
  OPENSSL_cleanse(secret.data(), secret.size());
  secret.clear();
}

}  // namespace mayfly
