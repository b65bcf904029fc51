// A key and a certificate of its own for localhost, made afresh, in a directory that goes with it.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

namespace mayfly::test {

class TlsFiles {
 public:
  TlsFiles() {
    char name[] = "/tmp/mayfly-tls-XXXXXX";
    directory_ = mkdtemp(name);
    certificate = directory_ + "/certificate.pem";
    key = directory_ + "/key.pem";
    EVP_PKEY* pair = EVP_EC_gen("P-256");
    X509* made = make_certificate(pair);
    FILE* file = std::fopen(certificate.c_str(), "w");
    PEM_write_X509(file, made);
    std::fclose(file);
    file = std::fopen(key.c_str(), "w");
    PEM_write_PrivateKey(file, pair, nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(file);
    chmod(key.c_str(), 0600);
    X509_free(made);
    EVP_PKEY_free(pair);
  }
  ~TlsFiles() { std::filesystem::remove_all(directory_); }
  TlsFiles(const TlsFiles&) = delete;
  TlsFiles& operator=(const TlsFiles&) = delete;

  const std::string& directory() const { return directory_; }
  std::string certificate;
  std::string key;

 private:
  static X509* make_certificate(EVP_PKEY* pair) {
    X509* made = X509_new();
    X509_set_version(made, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(made), 1);
    X509_gmtime_adj(X509_getm_notBefore(made), -3600);
    X509_gmtime_adj(X509_getm_notAfter(made), 86400);
    X509_NAME* name = X509_get_subject_name(made);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("localhost"),
                               -1, -1, 0);
    X509_set_issuer_name(made, name);
    X509_set_pubkey(made, pair);
    X509_sign(made, pair, EVP_sha256());
    return made;
  }

  std::string directory_;
};

}  // namespace mayfly::test
