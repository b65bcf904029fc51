// The hub over TLS: a login with cookies that only HTTPS carries; a certificate that is renewed.
#include <gmock/gmock.h>

#include <filesystem>

#include "common/password_hash.h"
#include "common/text.h"
#include "hub_fixture.h"
#include "tests/common/tls_client.h"
#include "tests/common/tls_files.h"

namespace mayfly::hubd {
namespace {

using test::TlsClient;
using test::TlsFiles;
using testing::HasSubstr;
using testing::StartsWith;

class HubTls : public HubTest {
 protected:
  void start_with_tls() {
    put("hub.yaml", "listen: 127.0.0.1:0\nusers: [{name: ada, password: \"" +
                        hash_password("a password of ada's").value() +
                        "\", rights: [{server: \"*\", prefix: \"\"}]}]\ntls: {certificate: " +
                        files_.certificate + ", key: " + files_.key + "}\n");
    start_with_file();
  }
  /// The whole answer, which ends with the connection; empty where the certificate is not trusted.
  std::string ask(const std::string& method, const std::string& target, const std::string& headers = "",
                  const std::string& body = "") const {
    TlsClient client(port(), files_.certificate);
    if (!client.shake_hands()) return "";
    client.send(method + " " + target + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + headers +
                "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    return client.read_all();
  }
  static std::string between(const std::string& text, const std::string& before, const std::string& after) {
    const std::size_t at = text.find(before);
    if (at == std::string::npos) return "";
    const std::size_t begin = at + before.size();
    return text.substr(begin, text.find(after, begin) - begin);
  }

  TlsFiles files_;
};

TEST_F(HubTls, CookiesAreForHttpsAlone) {
  start_with_tls();
  const std::string form = ask("GET", "/login");
  const std::string bound = between(form, "Set-Cookie: __Host-mayfly_login=", ";");
  ASSERT_EQ(bound.size(), 43u) << form;
  const std::string done =
      ask("POST", "/login",
          "Content-Type: application/x-www-form-urlencoded\r\nCookie: __Host-mayfly_login=" + bound + "\r\n",
          "username=ada&password=a+password+of+ada%27s&csrf=" +
              percent_encode(between(form, "name=\"csrf\" value=\"", "\"")));
  ASSERT_THAT(done, StartsWith("HTTP/1.1 303"));
  const std::string cookie = between(done, "Set-Cookie: __Host-mayfly_session=", "\r\n");
  EXPECT_THAT(cookie, HasSubstr("; Path=/; HttpOnly; SameSite=Lax; Secure"));
  const std::string session = cookie.substr(0, 43);
  EXPECT_THAT(ask("GET", "/metrics", "Cookie: __Host-mayfly_session=" + session + "\r\n"),
              StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(ask("GET", "/metrics", "Cookie: mayfly_session=" + session + "\r\n"),
              StartsWith("HTTP/1.1 401"));
}

TEST_F(HubTls, InTheClearNothingIsServed) {
  start_with_tls();
  EXPECT_EQ(get("/login").status, 400);
}

TEST_F(HubTls, ARenewedCertificateCounts) {
  start_with_tls();
  ASSERT_THAT(ask("GET", "/healthz"), StartsWith("HTTP/1.1 200"));
  const TlsFiles renewed;
  std::filesystem::copy_file(renewed.key, files_.key, std::filesystem::copy_options::overwrite_existing);
  reload();  // the key does not fit the certificate: what was in force stays
  EXPECT_THAT(ask("GET", "/readyz"), StartsWith("HTTP/1.1 200"));
  std::filesystem::copy_file(renewed.certificate, files_.certificate,
                             std::filesystem::copy_options::overwrite_existing);
  reload();
  EXPECT_TRUE(eventually([&] { return ask("GET", "/healthz").starts_with("HTTP/1.1 200"); }));
}

}  // namespace
}  // namespace mayfly::hubd
