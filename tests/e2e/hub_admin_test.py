"""`mayfly hub add-…`: what is written, what is refused, and that nothing secret is shown."""

import json
import os
import pathlib
import pty
import re
import stat
import subprocess
import sys
import tempfile
import unittest

from harness import BIN, DEADLINE_S

TRIPCODE = "Cj5YcmZEEoUybOdbJT+fyH0Ng2bhrd2l5mzlBdxR78U="
WELL_KNOWN = "v7tW77nRaiC9s31Y6JoDcHTOHNzEDhhmKHZRBHKc87s="  # of "secretpassword"
TEXT = "listen: 127.0.0.1:0\n# a comment that stays\nservers: [{name: first, tripcode: \"%s\"}]\n" % TRIPCODE


class Administration(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = pathlib.Path(folder.name) / "hub.yaml"
        self.file.write_text(TEXT)
        self.drop_ins = pathlib.Path(f"{self.file}.d")

    def hub(self, action: str, name: str, *flags: str, secret: str = "") -> subprocess.CompletedProcess:
        return subprocess.run([BIN / "mayfly", "hub", action, "--config", self.file, name, *flags], input=secret, text=True,
                              capture_output=True, check=False, timeout=DEADLINE_S)

    def names(self) -> list[str]:
        return sorted(os.listdir(self.drop_ins)) if self.drop_ins.exists() else []

    def mode(self, name: str) -> int:
        return stat.S_IMODE((self.drop_ins / name).stat().st_mode)

    def accepted(self) -> bool:
        return subprocess.run([BIN / "hubd", "--check", "--config", self.file], stdin=subprocess.DEVNULL,
                              capture_output=True, check=False, timeout=DEADLINE_S).returncode == 0

    def test_what_is_written(self) -> None:
        self.assertEqual(self.hub("add-server", "web-1", "--tripcode", TRIPCODE).returncode, 0)
        self.assertEqual(self.hub("add-user", "ada", "--right", "*:", "--right", "web-1:app-", secret="long enough\n").returncode, 0)
        key = self.hub("add-scraper-key", "prometheus", "--days", "30", "--right", "web-1:app-")
        self.assertEqual(key.returncode, 0, key.stderr)
        self.assertEqual(self.names(), ["scraper-key-prometheus.yaml", "server-web-1.yaml", "user-ada.yaml"])
        self.assertEqual(self.mode("user-ada.yaml"), 0o600)
        self.assertEqual(self.mode("scraper-key-prometheus.yaml"), 0o600)
        self.assertEqual(self.mode("server-web-1.yaml"), 0o644)
        self.assertEqual(self.file.read_text(), TEXT)
        self.assertTrue(self.accepted())
        text = "".join((self.drop_ins / name).read_text() for name in self.names())
        self.assertNotIn("long enough", text)
        self.assertRegex(text, r'password: "\$y\$')
        self.assertRegex(key.stdout, r"\Amfk_[A-Za-z0-9_-]{43}\n\Z")
        self.assertNotIn(key.stdout.strip(), text + key.stderr)

    def test_json(self) -> None:
        server = json.loads(self.hub("add-server", "web-1", "--tripcode", TRIPCODE, "--json").stdout)
        self.assertEqual((server["added"], server["name"]), ("server", "web-1"))
        key = json.loads(self.hub("add-scraper-key", "p", "--days", "1", "--json").stdout)
        self.assertEqual(key["rights"], ["*:"])
        self.assertTrue(key["key"])

    def test_names_that_are_there_are_refused(self) -> None:
        self.assertEqual(self.hub("add-server", "first", "--tripcode", TRIPCODE).returncode, 1)
        self.assertEqual(self.hub("add-user", "ada", "--right", "*:", secret="long enough\n").returncode, 0)
        before = (self.drop_ins / "user-ada.yaml").read_bytes()
        again = self.hub("add-user", "ada", "--right", "*:", secret="another one\n")
        self.assertEqual(again.returncode, 1)
        self.assertIn("exists already", again.stderr)
        self.assertEqual((self.drop_ins / "user-ada.yaml").read_bytes(), before)
        self.assertEqual(self.names(), ["user-ada.yaml"])

    def test_wrong_use(self) -> None:
        for arguments in (("add-server", "a/b", "--tripcode", TRIPCODE), ("add-server", "a", "--tripcode", "x"),
                          ("add-server", "a", "--tripcode", WELL_KNOWN), ("add-server", "a"),
                          ("add-user", "ada"), ("add-user", "ada", "--right", "no-colon"), ("add-user", "ada", "--right", "a/b:x"),
                          ("add-user", "ada", "--right", '*:"'), ("add-user", "-x", "--right", "*:"),
                          ("add-scraper-key", "p"), ("add-scraper-key", "p", "--days", "31"),
                          ("add-scraper-key", "p", "--days", "0"), ("add-scraper-key", "p", "--days", "x")):
            with self.subTest(arguments=arguments):
                self.assertEqual(self.hub(*arguments, secret="long enough\n").returncode, 2)
        self.assertEqual(self.names(), [])

    def test_passwords_that_are_none(self) -> None:
        for secret in ("", "\n", "short\n", "password123\n", "x" * 600 + "\n", "long\0enough\n"):
            result = self.hub("add-user", "ada", "--right", "*:", secret=secret)
            self.assertEqual(result.returncode, 1, secret)
            self.assertNotIn("short", result.stdout)
        self.assertEqual(self.names(), [])

    def test_a_file_that_is_refused_or_missing(self) -> None:
        self.file.write_text(TEXT + "unknown_key: 1\n")
        result = self.hub("add-server", "web-1", "--tripcode", TRIPCODE)
        self.assertEqual(result.returncode, 0)
        self.assertIn("unknown_key", result.stderr)
        self.assertEqual(self.names(), ["server-web-1.yaml"])
        self.file.unlink()
        self.assertEqual(self.hub("add-server", "web-2", "--tripcode", TRIPCODE).returncode, 1)
        self.assertEqual(self.names(), ["server-web-1.yaml"])

    def test_a_terminal_shows_no_password(self) -> None:
        for answers, code in ((["long enough", "long enough"], 0), (["long enough", "long enougg"], 1)):
            pid, terminal = pty.fork()
            if pid == 0:
                os.execv(BIN / "mayfly", ["mayfly", "hub", "add-user", "--config", str(self.file), f"u{code}", "--right", "*:"])
            shown, asked = b"", 0
            while True:
                try:
                    part = os.read(terminal, 4096)
                except OSError:
                    break
                if not part:
                    break
                shown += part
                while asked < min(len(re.findall(rb"Password of u\d[^:]*: ", shown)), len(answers)):
                    os.write(terminal, answers[asked].encode() + b"\n")
                    asked += 1
            os.close(terminal)
            self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), code, shown)
            self.assertNotIn(b"long", shown)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
