// SPDX-License-Identifier: Apache-2.0
//
// A TLS handshake with OpenSSL, both ends in one coroutine over memory, with a certificate made for
// it.
#include "costs.hpp"

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <stdexcept>

namespace costs {
namespace {

template <auto Free>
struct freed_by {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using key = std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY_free>>;
using certificate = std::unique_ptr<X509, freed_by<X509_free>>;
using context = std::unique_ptr<SSL_CTX, freed_by<SSL_CTX_free>>;
using session = std::unique_ptr<SSL, freed_by<SSL_free>>;

key make_key() { return key(EVP_EC_gen("P-256")); }

certificate make_certificate(EVP_PKEY* signer) {
  certificate made(X509_new());
  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), 3600);
  X509_set_pubkey(made.get(), signer);
  X509_NAME* const name = X509_get_subject_name(made.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
  X509_set_issuer_name(made.get(), name);
  if (X509_sign(made.get(), signer, EVP_sha256()) == 0) throw std::runtime_error("X509_sign");
  return made;
}

void handshake() {
  const key own = make_key();
  const certificate shown = make_certificate(own.get());
  const context serving(SSL_CTX_new(TLS_server_method()));
  const context asking(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_use_certificate(serving.get(), shown.get());
  SSL_CTX_use_PrivateKey(serving.get(), own.get());
  const session server(SSL_new(serving.get()));
  const session client(SSL_new(asking.get()));
  BIO* at_server = nullptr;
  BIO* at_client = nullptr;
  if (BIO_new_bio_pair(&at_server, 0, &at_client, 0) != 1) throw std::runtime_error("BIO pair");
  SSL_set_bio(server.get(), at_server, at_server);
  SSL_set_bio(client.get(), at_client, at_client);
  SSL_set_accept_state(server.get());
  SSL_set_connect_state(client.get());
  for (int turn = 0; turn < 20; ++turn) {
    const int asked = SSL_do_handshake(client.get());
    const int served = SSL_do_handshake(server.get());
    if (asked == 1 && served == 1) return;
  }
  throw std::runtime_error("the handshake does not end");
}

}  // namespace

std::span<const call> tls() {
  static const call all[] = {
      {"OpenSSL: key and certificate, P-256", "OpenSSL: key and certificate, P-256, again",
       [] {
         const key own = make_key();
         keep(make_certificate(own.get()));
       }},
      {"OpenSSL: TLS 1.3 handshake", "OpenSSL: TLS 1.3 handshake, again", handshake},
  };
  return all;
}

}  // namespace costs
