#include "common/random_key.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <algorithm>

#include "common/text.h"

namespace mayfly {
namespace {

/// The alphabet that needs no escape in URLs, cookies and YAML.
std::string url_safe(std::string_view bytes) {
  std::string text = base64_encode(bytes);
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  text.erase(text.find_last_not_of('=') + 1);
  return text;
}

}  // namespace

shm::Result<std::string> random_key() {
  unsigned char bytes[32];
  if (RAND_bytes(bytes, sizeof bytes) != 1)
    return shm::Error{shm::Errc::io, "no random numbers to be had for a key"};
  std::string key = url_safe({reinterpret_cast<const char*>(bytes), sizeof bytes});
  OPENSSL_cleanse(bytes, sizeof bytes);
  return key;
}

std::string keyed_hash(std::string_view key, std::string_view text) {
  unsigned char hash[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), hash, &size);
  return url_safe({reinterpret_cast<const char*>(hash), size});
}

bool same_secret(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace mayfly
