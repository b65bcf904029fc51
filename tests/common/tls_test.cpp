// HTTP over TLS: HttpServerOptions::tls, tls_context.h.
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include "common/tls_context.h"
#include "tests/common/http_server_fixture.h"
#include "tests/common/tls_client.h"
#include "tests/common/tls_files.h"

namespace mayfly {
namespace {

using shm::Errc;
using test::TestAnswer;
using test::TestConnection;
using test::TlsClient;
using test::TlsFiles;

constexpr char kGet[] = "GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n";
constexpr char kLastGet[] = "GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

class TlsTest : public test::HttpServerFixture {
 protected:
  void serve_tls(HttpHandler handler, HttpServerOptions options = {}) {
    auto context = TlsContext::load(files_.certificate, files_.key);
    ASSERT_TRUE(context.ok()) << context.error().text;
    options.tls = context.value();
    serve(std::move(handler), std::move(options));
  }
  void serve_plain_answers(HttpServerOptions options = {}) {
    serve_tls(
        [](HttpRequest request, ResponseWriterPtr response) {
          response->send(200, {}, (request.secure ? "secure " : "clear ") + request.path);
        },
        std::move(options));
  }

  TlsFiles files_;
};

TEST_F(TlsTest, ServesRequestsOneAfterTheOther) {
  serve_plain_answers();
  TlsClient client(port_, files_.certificate);
  const unsigned char protocols[] = "\x02h2\x08http/1.1";
  SSL_CTX_set_alpn_protos(client.context, protocols, sizeof(protocols) - 1);
  ASSERT_TRUE(client.shake_hands());
  EXPECT_EQ(SSL_version(client.ssl), TLS1_3_VERSION);
  const unsigned char* chosen = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(client.ssl, &chosen, &size);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(chosen), size), "http/1.1");
  for (int i = 0; i < 3; ++i) {
    client.send(kGet);
    EXPECT_TRUE(client.read_until("secure /x").ends_with("\r\n\r\nsecure /x"));
  }
  client.send(kLastGet);
  EXPECT_TRUE(client.read_all().ends_with("\r\n\r\nsecure /x"));
  EXPECT_TRUE(client.orderly());
  EXPECT_EQ(counts().requests, 4u);
}

TEST_F(TlsTest, SpeaksNothingOlderThan12AndNoOtherProtocol) {
  serve_plain_answers();
  TlsClient old(port_, files_.certificate);
  SSL_CTX_set_cipher_list(old.context, "ALL:@SECLEVEL=0");
  SSL_CTX_set_min_proto_version(old.context, TLS1_VERSION);
  SSL_CTX_set_max_proto_version(old.context, TLS1_1_VERSION);
  EXPECT_FALSE(old.shake_hands());
  TlsClient other(port_, files_.certificate);
  const unsigned char protocols[] = "\x02h2";
  SSL_CTX_set_alpn_protos(other.context, protocols, sizeof(protocols) - 1);
  EXPECT_FALSE(other.shake_hands());
  TlsClient weak(port_, files_.certificate);
  SSL_CTX_set_max_proto_version(weak.context, TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(weak.context, "ECDHE-ECDSA-AES128-SHA:AES128-SHA");
  EXPECT_FALSE(weak.shake_hands());
  EXPECT_EQ(counts().requests, 0u);
}

TEST_F(TlsTest, DoesNotRenegotiate) {
  serve_plain_answers();
  TlsClient client(port_, files_.certificate);
  SSL_CTX_set_max_proto_version(client.context, TLS1_2_VERSION);
  ASSERT_TRUE(client.shake_hands());
  EXPECT_EQ(SSL_version(client.ssl), TLS1_2_VERSION);
  client.send(kGet);
  EXPECT_NE(client.read_until("secure /x"), "");
  ASSERT_EQ(SSL_renegotiate(client.ssl), 1);
  EXPECT_NE(SSL_do_handshake(client.ssl), 1);
}

TEST_F(TlsTest, TellsAClientInTheClear) {
  serve_plain_answers();
  TestConnection connection(port_);
  TestAnswer answer = connection.get("/");
  EXPECT_EQ(answer.status, 400);
  EXPECT_NE(answer.body.find("tls_required"), std::string::npos);
  EXPECT_TRUE(connection.read_to_end());
  TestConnection garbage(port_);
  garbage.send("\x16garbage that is no record of a handshake, long enough to be looked at");
  EXPECT_TRUE(garbage.read_to_end());
  TestConnection silence(port_);
  silence.half_close();
  EXPECT_TRUE(silence.read_to_end());
  EXPECT_EQ(counts().requests, 0u);
}

TEST_F(TlsTest, AHandshakeHasItsTime) {
  HttpServerOptions options;
  options.request_timeout = std::chrono::seconds(1);
  serve_plain_answers(options);
  TestConnection never(port_);
  TestConnection begun(port_);
  begun.send("\x16\x03\x01");
  EXPECT_TRUE(never.read_to_end());
  EXPECT_TRUE(begun.read_to_end());
  EXPECT_EQ(counts().timeouts, 2u);
}

TEST_F(TlsTest, LargeAnswersAndBodiesPass) {
  constexpr std::size_t kTotal = 16 << 20;
  HttpServerOptions options;
  options.streams_body = [](const HttpRequest& head) { return head.method == "POST"; };
  std::atomic<std::size_t> taken = 0;
  std::shared_ptr<BodyReader> reader;
  serve_tls(
      [&](HttpRequest request, ResponseWriterPtr response) {
        reader = std::move(request.body_reader);
        reader->read([&](std::string_view piece) { taken += piece.size(); },
                     [response](bool complete) {
                       response->begin(200, {{"Content-Length", std::to_string(kTotal)}});
                       response->write(std::string(kTotal, complete ? 'y' : 'n'));
                       response->end();
                     });
      },
      options);
  TlsClient client(port_, files_.certificate);
  ASSERT_TRUE(client.shake_hands());
  client.send("POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: " +
              std::to_string(kTotal) + "\r\n\r\n");
  for (std::size_t sent = 0; sent < kTotal; sent += 1 << 20)
    ASSERT_TRUE(client.send(std::string(1 << 20, 'x')));
  const std::string answer = client.read_all();
  EXPECT_EQ(taken, kTotal);
  EXPECT_EQ(answer.size() - answer.find("\r\n\r\n") - 4, kTotal);
  EXPECT_TRUE(answer.ends_with("yyy"));
  EXPECT_TRUE(client.orderly());
  thread_.call([&] { reader.reset(); });
}

TEST_F(TlsTest, ACutAnswerHasNoOrderlyEnd) {
  serve_tls([](HttpRequest, ResponseWriterPtr response) {
    response->begin(200, {});
    response->write("half");
    response->abort();
  });
  TlsClient client(port_, files_.certificate);
  ASSERT_TRUE(client.shake_hands());
  client.send("GET / HTTP/1.0\r\n\r\n");
  client.read_all();
  EXPECT_FALSE(client.orderly());
}

TEST(TlsContext, SaysWhatIsWrongWithItsFiles) {
  const TlsFiles files;
  const TlsFiles others;
  const auto error_of = [](const std::string& certificate, const std::string& key) {
    const auto context = TlsContext::load(certificate, key);
    return context.ok() ? std::optional<Errc>() : context.error().code;
  };
  EXPECT_EQ(error_of(files.certificate, files.key), std::nullopt);
  EXPECT_EQ(error_of(files.certificate, others.key), Errc::invalid);
  EXPECT_EQ(error_of(files.key, files.key), Errc::invalid);
  EXPECT_EQ(error_of(files.certificate, files.certificate), Errc::untrusted);  // mode 0644
  EXPECT_EQ(error_of(files.directory() + "/none", files.key), Errc::not_found);
  EXPECT_EQ(error_of(files.directory(), files.key), Errc::invalid);
  EXPECT_EQ(error_of("/dev/null", files.key), Errc::invalid);
  std::ofstream(files.certificate, std::ios::app)
      << "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  EXPECT_EQ(error_of(files.certificate, files.key), Errc::invalid);
  chmod(files.key.c_str(), 0640);  // of a group, such as ssl-cert
  EXPECT_EQ(error_of(others.certificate, files.key), Errc::invalid);
  chmod(others.key.c_str(), 0640);
  EXPECT_EQ(error_of(others.certificate, others.key), std::nullopt);
}

}  // namespace
}  // namespace mayfly
