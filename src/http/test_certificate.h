#pragma once

#include <cstdio>
#include <memory>
#include <string>

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

// A key and a certificate for it, signed by itself, for tests.

namespace weir::http {

inline void write_certificate(
    const std::string& name, const std::string& certificate_path, const std::string& key_path
) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      EVP_EC_gen("P-256"), &EVP_PKEY_free
  );
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), &X509_free);
  ASSERT_TRUE(key && certificate);
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_NAME* subject = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(
      subject, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0
  );
  X509_set_issuer_name(certificate.get(), subject);
  X509_set_pubkey(certificate.get(), key.get());
  ASSERT_GT(X509_sign(certificate.get(), key.get(), EVP_sha256()), 0);
  using File = std::unique_ptr<std::FILE, decltype(&std::fclose)>;
  const File certificate_file(std::fopen(certificate_path.c_str(), "w"), &std::fclose);
  const File key_file(std::fopen(key_path.c_str(), "w"), &std::fclose);
  ASSERT_TRUE(certificate_file && key_file);
  ASSERT_EQ(PEM_write_X509(certificate_file.get(), certificate.get()), 1);
  ASSERT_EQ(
      PEM_write_PrivateKey(key_file.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr), 1
  );
}

}  // namespace weir::http
