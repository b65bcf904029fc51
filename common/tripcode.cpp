#include "common/tripcode.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <vector>

namespace mayfly {
namespace {

constexpr std::size_t kPaddedLength = 44;  // base64 of 32 bytes

// Not a list of all bad passwords: those that come with examples, manuals and habit.
constexpr std::string_view kWellKnown[] = {"",
                                           "0",
                                           "1",
                                           "00000000",
                                           "11111111",
                                           "1234",
                                           "12345",
                                           "123456",
                                           "1234567",
                                           "12345678",
                                           "123456789",
                                           "1234567890",
                                           "1q2w3e4r",
                                           "123123",
                                           "654321",
                                           "666666",
                                           "aaaaaa",
                                           "abc",
                                           "abc123",
                                           "access",
                                           "admin",
                                           "admin123",
                                           "administrator",
                                           "apikey",
                                           "api_key",
                                           "api-key",
                                           "alpha",
                                           "backup",
                                           "bad_password",
                                           "baseball",
                                           "batman",
                                           "changeit",
                                           "change_me",
                                           "changeme",
                                           "default",
                                           "demo",
                                           "dragon",
                                           "example",
                                           "foobar",
                                           "football",
                                           "guest",
                                           "hello",
                                           "hunter2",
                                           "iloveyou",
                                           "key",
                                           "letmein",
                                           "localhost",
                                           "login",
                                           "master",
                                           "mayfly",
                                           "monkey",
                                           "my_server",
                                           "my-server",
                                           "mysecret",
                                           "none",
                                           "null",
                                           "pass",
                                           "passw0rd",
                                           "password",
                                           "password1",
                                           "password123",
                                           "princess",
                                           "ptth",
                                           "qwerty",
                                           "qwertyuiop",
                                           "root",
                                           "secret",
                                           "secretkey",
                                           "secretpassword",
                                           "server",
                                           "shadow",
                                           "sunshine",
                                           "superman",
                                           "superuser",
                                           "test",
                                           "test123",
                                           "testing",
                                           "token",
                                           "toor",
                                           "trustno1",
                                           "user",
                                           "username",
                                           "welcome",
                                           "welcome1",
                                           "xxx",
                                           "yourkey",
                                           "your_api_key",
                                           "your-api-key",
                                           "PlaypenCausalPlatformCommodeImproveCatalyze",
                                           "correct horse battery staple",
                                           "AlphaBravoCharlieDeltaEchoFoxtrotGolfHotelIndiaJulietKiloLima"};

std::vector<Blake3Hash> well_known_hashes() {
  std::vector<Blake3Hash> hashes;
  for (const std::string_view password : kWellKnown) hashes.push_back(blake3(password));
  // One character over and over, at every length up to the usual key's 88 and a little beyond.
  for (const char letter : std::string_view("Aa0xX1*")) {
    for (std::size_t length = 1; length <= 128; ++length)
      hashes.push_back(blake3(std::string(length, letter)));
  }
  std::sort(hashes.begin(), hashes.end());
  return hashes;
}

}  // namespace

std::string tripcode(std::string_view key) {
  const Blake3Hash hash = blake3(key);
  std::string text(kPaddedLength + 1, '\0');  // EVP_EncodeBlock ends it with a NUL
  EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), hash.data(), static_cast<int>(hash.size()));
  text.resize(kPaddedLength);
  return text;
}

std::optional<Blake3Hash> parse_tripcode(std::string_view text) {
  std::string padded(text);
  if (padded.size() == kPaddedLength - 1) padded += '=';
  if (padded.size() != kPaddedLength || padded.back() != '=' || padded[kPaddedLength - 2] == '=') return {};
  std::array<unsigned char, 33> bytes;
  const int size = EVP_DecodeBlock(bytes.data(), reinterpret_cast<const unsigned char*>(padded.data()),
                                   static_cast<int>(padded.size()));
  // The padding counts as a zero byte; bits that it hides must be zero, or one hash had many texts.
  if (size != static_cast<int>(bytes.size()) || bytes.back() != 0) return {};
  Blake3Hash hash;
  std::copy_n(bytes.begin(), hash.size(), hash.begin());
  return hash;
}

bool same_hash(const Blake3Hash& a, const Blake3Hash& b) {
  return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

bool is_well_known_password(const Blake3Hash& hash) {
  static const std::vector<Blake3Hash> hashes = well_known_hashes();
  return std::binary_search(hashes.begin(), hashes.end(), hash);
}

}  // namespace mayfly
