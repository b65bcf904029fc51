"""People coming to a hub: the form, cookies, tokens, limits, the pages of administrators, what the file changes."""

import base64
import concurrent.futures
import hashlib
import pathlib
import re
import sys
import unittest

from harness import wait_for
from hub_process import NAME, Hub
from visitor import FORM, HTML, Visitor, add_key, add_user

PASSWORD = "a password of ada's"
DIRECTORIES = "  - {kind: log, name: demo}\n"


class Login(unittest.TestCase):
    def setUp(self) -> None:
        self.hub = Hub(DIRECTORIES)
        self.addCleanup(self.hub.__exit__)
        add_user(self.hub.file, "ada", PASSWORD, "*:")
        add_user(self.hub.file, "bob", "a password of bob's", f"{NAME}:app-")
        self.hub.start()

    def visitor(self) -> Visitor:
        return Visitor(self.hub.port)

    def logged_in(self, name: str = "ada") -> Visitor:
        browser = self.visitor()
        self.assertEqual(browser.log_in(name, f"a password of {name}'s").status, 303)
        return browser

    def metric(self, sample: str) -> float:
        for line in self.logged_in().get("/metrics").text().splitlines():
            if line.rsplit(" ", 1)[0] == sample:
                return float(line.rsplit(" ", 1)[1])
        raise AssertionError(f"no {sample}")

    def test_nobody_reads_without_coming_in(self) -> None:
        for path in ("/", "/metrics", "/frontend/session", "/frontend/audit_log", "/frontend/unregistered_servers",
                     f"/frontend/servers/{NAME}", f"/frontend/servers/{NAME}/", f"/frontend/servers/{NAME}/metrics",
                     "/frontend/servers/no-such/metrics", f"/scraper/v1/server/{NAME}/metrics"):
            for method in ("GET", "HEAD", "POST", "DELETE"):
                with self.subTest(path=path, method=method):
                    self.assertEqual(self.visitor().request(method, path).status, 401)
        self.assertEqual(self.visitor().get("/no/such/path").status, 404)
        self.assertEqual(self.visitor().get("/healthz").status, 200)

    def test_browsers_are_sent_to_the_form_and_back(self) -> None:
        browser = self.visitor()
        reply = browser.get("/frontend/audit_log?a=b&c", HTML)
        self.assertEqual(reply.status, 303)
        self.assertEqual(reply.headers["Location"], "/login?next=%2Ffrontend%2Faudit_log%3Fa%3Db%26c")
        done = browser.log_in("ada", PASSWORD, reply.headers["Location"])
        self.assertEqual((done.status, done.headers["Location"]), (303, "/frontend/audit_log?a=b&c"))
        self.assertEqual(browser.get(done.headers["Location"], HTML).status, 200)

    def test_nobody_is_sent_elsewhere(self) -> None:
        for path in ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/%0d%0aX: y"):
            with self.subTest(path=path):
                browser = self.visitor()
                form = {**browser.form(), "next": path, "username": "ada", "password": PASSWORD}
                self.assertEqual(browser.post("/login", form).headers["Location"], "/frontend/servers/")

    def test_the_form_lets_no_script_run(self) -> None:
        reply = self.visitor().get("/login?next=/%22%3E%3Cscript%3E")
        self.assertNotIn("<script", reply.text())
        policy = reply.headers["Content-Security-Policy"]
        self.assertIn("default-src 'none'", policy)
        self.assertIn("frame-ancestors 'none'", policy)
        style = re.search(r"<style>(.*)</style>", reply.text(), re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        self.assertIn(f"style-src 'sha256-{digest}'", policy)
        self.assertEqual(reply.headers["Referrer-Policy"], "same-origin")
        self.assertEqual(reply.headers["Cache-Control"], "no-store")

    def test_cookies_are_kept_from_scripts_and_from_other_sites(self) -> None:
        browser = self.visitor()
        lines = browser.log_in("ada", PASSWORD).headers.get_all("Set-Cookie")
        session = next(line for line in lines if line.startswith("mayfly_session="))
        self.assertIn("; Path=/; HttpOnly; SameSite=Lax", session)
        self.assertNotIn("Domain", session)
        https = {"X-Forwarded-Proto": "https"}  # a proxy that ends TLS before a hub on loopback
        strict = self.visitor()
        lines = strict.log_in("ada", PASSWORD, headers=https).headers.get_all("Set-Cookie")
        session = next(line for line in lines if line.startswith("__Host-mayfly_session="))
        self.assertIn("; Secure", session)
        self.assertEqual(strict.get("/metrics", https).status, 200)
        self.assertEqual(strict.get("/metrics").status, 401, "a strict cookie counts over HTTPS only")

    def test_wrong_passwords_and_unknown_names_get_the_same(self) -> None:
        answers = set()
        for name, password in (("ada", "wrong"), ("eve", PASSWORD), ("", ""), ("ada", ""), ("ada", PASSWORD + " "),
                               ("ADA", PASSWORD), ("ada", PASSWORD + "\0x"), ("ada", "x" * 600), ("<b>", "x")):
            browser = self.visitor()
            reply = browser.log_in(name, password)
            answers.add((reply.status, re.sub(r'value="[^"]*"', "", reply.text())))
            self.assertEqual(browser.get("/metrics").status, 401)
        self.assertEqual(len(answers), 1, answers)
        self.assertEqual(answers.pop()[0], 401)

    def test_a_form_of_another_browser_counts_for_nothing(self) -> None:
        form = self.visitor().form()
        fields = {**form, "username": "ada", "password": PASSWORD}
        self.assertEqual(self.visitor().post("/login", fields).status, 403, "without the cookie")
        other = self.visitor()
        other.form()
        self.assertEqual(other.post("/login", fields).status, 403, "with another's token")
        other.cookies["mayfly_login"] = ""
        self.assertEqual(other.post("/login", {**fields, "csrf": ""}).status, 403)
        browser = self.visitor()
        own = {**browser.form(), "username": "ada", "password": PASSWORD}
        for site in ("cross-site", "same-site"):
            self.assertEqual(browser.post("/login", own, {"Sec-Fetch-Site": site}).status, 403)
        self.assertEqual(browser.post("/login", own, {"Origin": "null", "Sec-Fetch-Site": "same-origin"}).status, 303)
        self.assertGreaterEqual(self.metric('mayfly_hub_logins_total{result="no_token"}'), 5)

    def test_what_is_no_form_is_refused(self) -> None:
        browser = self.visitor()
        form = browser.form()
        fields = f"csrf={form['csrf']}&username=ada&password=x".encode()
        for kind, body in (("application/json", b"{}"), ("text/plain", fields), ("multipart/form-data; boundary=x", b"--x--"),
                           (FORM, fields + b"&username=bob"), (FORM, b"username=%zz")):
            self.assertEqual(browser.request("POST", "/login", {"Content-Type": kind}, body).status, 400, body)
        self.assertEqual(browser.request("POST", "/login", {}, b"").status, 400)
        self.assertEqual(browser.request("POST", "/login", {"Content-Type": FORM}, b"a=" + b"x" * 100_000).status, 413)
        self.assertEqual(browser.request("PUT", "/login", {"Content-Type": FORM}, fields).status, 405)
        self.assertEqual(browser.get("/logout").status, 405)

    def test_too_many_tries(self) -> None:
        def shut_out() -> bool:
            if self.visitor().log_in("bob", "wrong").status != 429:
                return False
            reply = self.visitor().log_in("bob", "a password of bob's")
            if reply.status != 429:
                return False  # a slow machine: there was one more try again
            self.assertGreaterEqual(int(reply.headers["Retry-After"]), 1)
            return True
        wait_for("the limit, under which no password counts", shut_out)
        self.assertEqual(self.logged_in("ada").get("/metrics").status, 200, "others come in")
        self.assertGreaterEqual(self.metric('mayfly_hub_logins_total{result="too_many_tries"}'), 2)

    def test_right_passwords_use_up_no_tries(self) -> None:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            statuses = list(pool.map(lambda _: self.visitor().log_in("ada", PASSWORD).status, range(40)))
        self.assertEqual(set(statuses), {303})
        self.assertEqual(self.metric("mayfly_hub_sessions"), 16, "bounded for each user")

    def test_going_out_needs_the_sessions_token(self) -> None:
        browser = self.logged_in()
        self.assertEqual(browser.post("/logout", {}).status, 403)
        self.assertEqual(browser.post("/logout", {"csrf": "x" * 43}).status, 403)
        self.assertEqual(browser.get("/metrics").status, 200)
        session = browser.get("/frontend/session").json()
        self.assertEqual((session["name"], session["kind"], session["administers"]), ("ada", "person", True))
        stolen = dict(browser.cookies)
        self.assertEqual(browser.post("/logout", {"csrf": session["csrf"]}).headers["Location"], "/login")
        self.assertEqual(browser.cookies, {})
        browser.cookies = stolen
        self.assertEqual(browser.get("/metrics").status, 401, "the session itself has ended")
        header = self.logged_in()
        token = header.get("/frontend/session").json()["csrf"]
        self.assertEqual(header.request("POST", "/logout", {"X-CSRF-Token": token}).status, 303)

    def test_administrators_only(self) -> None:
        for path in ("/frontend/audit_log", "/frontend/unregistered_servers"):
            self.assertEqual(self.logged_in("ada").get(path).status, 200)
            self.assertEqual(self.logged_in("bob").get(path).status, 404)
            self.assertEqual(self.logged_in("bob").get(path, HTML).status, 404)

    def test_the_audit_log_says_who_came_and_read(self) -> None:
        ada, bob = self.logged_in("ada"), self.logged_in("bob")
        self.visitor().log_in("<script>alert(1)</script>", "wrong")
        bob.get(f"/frontend/servers/{NAME}/api/v1/logs/app-1;grep=in-the-path?grep=in-the-query")
        bob.get("/frontend/servers/%3Cscript%3E/x")
        entries = ada.get("/frontend/audit_log").json()["audit_log"]
        self.assertIn(("login", "bob", "person"), [(e["event"], e["reader"], e["reader_kind"]) for e in entries])
        self.assertIn("login_failed", [e["event"] for e in entries])
        for text in (ada.get("/frontend/audit_log").text(), ada.get("/frontend/audit_log", HTML).text()):
            self.assertNotIn("<script>", text)
            self.assertNotIn("in-the-", text)
            self.assertNotIn("wrong", text)

    def test_strangers_are_shown_as_text(self) -> None:
        for name in ("web-9", "%3Cimg%20src=x%3E"):
            self.visitor().get(f"/7ZSFUKGV/http_listen/{name}", {"X-ApiKey": "some key"})
        ada = self.logged_in()
        strangers = {s["name"]: s for s in ada.get("/frontend/unregistered_servers").json()["unregistered_servers"]}
        self.assertIn("web-9", strangers)
        page = ada.get("/frontend/unregistered_servers", HTML).text()
        self.assertNotIn("<img", page)
        self.assertIn(f"mayfly hub add-server --config FILE web-9 --tripcode {strangers['web-9']['tripcode']}", page)

    def test_changes_of_the_file_count_at_once(self) -> None:
        ada, bob = self.logged_in("ada"), self.logged_in("bob")
        folder = pathlib.Path(f"{self.hub.file}.d")
        rights = folder / "user-ada.yaml"
        rights.write_text(rights.read_text().replace('server: "*"', f'server: "{NAME}"'))
        wait_for("the lost right", lambda: ada.get("/frontend/audit_log").status == 404)
        self.assertEqual(ada.get("/metrics").status, 200, "the session goes on")
        (folder / "user-bob.yaml").unlink()
        wait_for("the end of bob's session", lambda: bob.get("/metrics").status == 401)
        add_user(self.hub.file, "bob", "a password of bob's", "*:")
        wait_for("bob's return", lambda: self.visitor().log_in("bob", "a password of bob's").status == 303)
        self.assertEqual(bob.get("/metrics").status, 401, "by a new session only")

    def test_keys_of_programs(self) -> None:
        key = add_key(self.hub.file, "prometheus", "*:")
        browser = self.visitor()
        wait_for("the key", lambda: browser.get("/metrics", {"X-ApiKey": key}).status == 200)
        self.assertEqual(browser.get("/metrics", {"Authorization": f"Bearer {key}"}).status, 200)
        self.assertEqual(browser.get("/metrics", {"Authorization": f"bearer {key}"}).status, 200)
        self.assertEqual(browser.get("/metrics", {"Authorization": f"Basic {key}"}).status, 401)
        text = "".join(path.read_text() for path in pathlib.Path(f"{self.hub.file}.d").iterdir())
        self.assertNotIn(key, text)
        self.assertEqual(browser.get("/metrics", {"X-ApiKey": key + "x"}).status, 401)
        wait_for("the limit of wrong keys", lambda: browser.get("/metrics", {"X-ApiKey": key + "x"}).status == 429)
        self.assertNotIn(key, self.hub.log_text())

    def test_a_restart_ends_every_session(self) -> None:
        ada = self.logged_in()
        self.hub.stop()
        self.hub.start()
        self.assertEqual(ada.get("/metrics").status, 401)

    def test_secrets_are_not_logged(self) -> None:
        self.visitor().log_in("ada", "a wrong password")
        ada = self.logged_in()
        for secret in ("a wrong password", PASSWORD, *ada.cookies.values()):
            self.assertNotIn(secret, self.hub.log_text())
            self.assertNotIn(secret, ada.get("/frontend/audit_log").text())


class Open(unittest.TestCase):
    def test_on_loopback_without_users_everybody_reads(self) -> None:
        with Hub(DIRECTORIES) as hub:
            hub.start()
            browser = Visitor(hub.port)
            self.assertEqual(browser.get("/frontend/audit_log").status, 200)
            self.assertEqual(browser.get("/login").headers["Location"], "/frontend/servers/")
            self.assertEqual(browser.get("/frontend/session").json()["kind"], "everybody")
            add_user(hub.file, "ada", PASSWORD, "*:")
            wait_for("the login", lambda: browser.get("/frontend/audit_log").status == 401)

    def test_pages_of_others_open_no_web_sockets(self) -> None:
        with Hub(DIRECTORIES) as hub:
            hub.start()
            upgrade = {"Connection": "Upgrade", "Upgrade": "websocket"}
            for origin, status in (("https://evil.example", 403), ("null", 403), (f"http://127.0.0.1:{hub.port + 1}", 403),
                                   (f"http://127.0.0.1:{hub.port}", 200)):
                self.assertEqual(Visitor(hub.port).get("/metrics", {**upgrade, "Origin": origin}).status, status, origin)
            self.assertEqual(Visitor(hub.port).get("/metrics", upgrade).status, 200, "not a browser")

    def test_behind_a_proxy_its_readers_have_every_right_but_programs_need_keys(self) -> None:
        with Hub(DIRECTORIES) as hub:
            hub.file.write_text("behind_proxy: true\n" + hub.file.read_text())
            add_user(hub.file, "ada", PASSWORD, "*:")
            hub.start()
            browser = Visitor(hub.port)
            self.assertEqual(browser.get("/frontend/audit_log").status, 200)
            self.assertEqual(browser.get(f"/scraper/v1/server/{NAME}/metrics").status, 401)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
