"""A reader of the hub: keeps cookies as browsers do, follows nothing, logs in by the form."""

import dataclasses
import html
import http.client
import json
import re
import subprocess
import urllib.parse
from typing import Any

from harness import BIN, DEADLINE_S

FORM = "application/x-www-form-urlencoded"
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@dataclasses.dataclass
class Reply:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)


class Visitor:
    def __init__(self, port: int) -> None:
        self.port = port
        self.cookies: dict[str, str] = {}

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)

    def open(self, method: str, path: str, headers: dict[str, str] | None = None,
             body: bytes | None = None) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """The answer's head has come; its body is the caller's to read."""
        connection = self.connect()
        sent = dict(headers or {})
        if self.cookies:
            sent.setdefault("Cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items()))
        connection.request(method, path, body=body, headers=sent)
        answer = connection.getresponse()
        for line in answer.headers.get_all("Set-Cookie", []):
            self._keep(line)
        return connection, answer

    def _keep(self, line: str) -> None:
        name, _, value = line.split(";")[0].partition("=")
        if "max-age=0" in line.lower():
            self.cookies.pop(name, None)
        else:
            self.cookies[name] = value

    def request(self, method: str, path: str, headers: dict[str, str] | None = None,
                body: bytes | None = None) -> Reply:
        connection, answer = self.open(method, path, headers, body)
        try:
            return Reply(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def get(self, path: str, headers: dict[str, str] | None = None) -> Reply:
        return self.request("GET", path, headers)

    def post(self, path: str, fields: dict[str, str], headers: dict[str, str] | None = None) -> Reply:
        return self.request("POST", path, {"Content-Type": FORM, **(headers or {})},
                            urllib.parse.urlencode(fields).encode())

    def form(self, path: str = "/login", headers: dict[str, str] | None = None) -> dict[str, str]:
        """The hidden fields of the login form."""
        page = self.get(path, headers).text()
        return {html.unescape(name): html.unescape(value)
                for name, value in re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page)}

    def log_in(self, name: str, password: str, path: str = "/login", headers: dict[str, str] | None = None) -> Reply:
        return self.post("/login", {**self.form(path, headers), "username": name, "password": password}, headers)


def add_user(file: str, name: str, password: str, *rights: str) -> None:
    """As an administrator does it; a running hub takes it within a second."""
    flags = [part for right in rights for part in ("--right", right)]
    subprocess.run([BIN / "mayfly", "hub", "add-user", "--config", file, name, *flags], input=password + "\n", text=True,
                   check=True, capture_output=True, timeout=DEADLINE_S)


def add_key(file: str, name: str, *rights: str, days: int = 1) -> str:
    """The key itself."""
    flags = [part for right in rights for part in ("--right", right)]
    return subprocess.run([BIN / "mayfly", "hub", "add-scraper-key", "--config", file, name, "--days", str(days), *flags],
                          stdin=subprocess.DEVNULL, text=True, check=True, capture_output=True,
                          timeout=DEADLINE_S).stdout.strip()
