"""Every reader × every path that reads: what is shown is what the rights cover, no more and no less.

Directories have names of their own at each host, and all that is stored in them holds that name. So an answer
shows a directory exactly if the directory's name is somewhere in it: in a list, a label, a line, a header.
"""

import dataclasses
import pathlib
import sys
import unittest

from fleet import PASSWORD, Fleet
from harness import wait_for
from visitor import HTML, Visitor, add_key, add_user

SERVERS = ["web-1", "web-2"]
DIRECTORIES = {  # name: (server, kind)
    f"{prefix}-{kind}-of-{server}": (server, kind)
    for server in SERVERS for prefix in ("app", "sec") for kind in ("log", "status")}

READERS = {  # name: rights
    "all": ["*:"],
    "one-host": ["web-1:"],
    "apps": ["*:app-"],
    "apps-of-one": ["web-1:app-"],
    "one-directory": ["web-2:app-log-of-web-2"],
    "mixed": ["web-1:", "web-2:app-"],
    "elsewhere": ["db-1:"],
    "almost": ["web-1:app-log-of-web-1x", "web:"],
}


@dataclasses.dataclass(frozen=True)
class Path:
    """One way to read. `server`: the host that it concerns; empty: all."""

    path: str
    shows: frozenset[str]  # the directories that an all-seeing reader finds in the answer
    server: str = ""
    directory: str = ""  # the path names it: without the right, 404
    stream: bool = False  # does not end by itself
    mentions: frozenset[str] = frozenset()  # what the path itself has the answer repeat


def of(server: str = "", kind: str = "") -> frozenset[str]:
    return frozenset(name for name, (where, what) in DIRECTORIES.items() if server in ("", where) and kind in ("", what))


def paths_of_directory(base: str, name: str) -> list[Path]:
    server, kind = DIRECTORIES[name]
    ways = {"log": ["logs/{}", "logs/{}/k", "logs/{}?last=5", "logs/{};last=5", "logs/{}?grep=line", "logs/{}?key=k", "keys/{}"],
            "status": ["status/{}", "status/{}/text", "status/{}?prefix=t", "status/{};prefix=t", "status/{}?key=text"]}
    streams = {"log": ["tail/{}?last=5", "tail/{};last=5", "tail/{}/k?last=5", "logs/{}?follow=1"],
               "status": ["watch/{}?last=5"]}
    return [Path(f"{base}/api/v1/{way.format(name)}", frozenset([name]), server, name, stream)
            for stream, found in ((False, ways), (True, streams)) for way in found[kind]]


LOKI = ("series", "label/directory/values", "query_range?query=%7Bkind%3D~%22.%2B%22%7D",
        "query?query=count_over_time(%7Bkind%3D~%22.%2B%22%7D%5B1h%5D)", "index/volume?query=%7Bdirectory%3D~%22.%2B%22%7D")


def paths_of_loki(base: str, server: str = "") -> list[Path]:
    return [Path(f"{base}/loki/api/v1/{way}", of(server), server) for way in LOKI]


def paths_of_server(base: str, server: str) -> list[Path]:
    listings = [Path(f"{base}/api/v1/directories", of(server), server), Path(f"{base}/metrics", of(server), server),
                *paths_of_loki(base, server)]
    return listings + [path for name in sorted(of(server)) for path in paths_of_directory(base, name)]


def paths_of_people() -> list[Path]:
    paths = [path for server in SERVERS for path in paths_of_server(f"/frontend/servers/{server}", server)]
    pages = [Path(f"/frontend/servers/{server}/", frozenset(), server) for server in SERVERS]
    return paths + pages + [Path("/api/v1/search?q=line", of(kind="log")), Path("/api/v1/servers", frozenset()),
                            Path("/frontend/servers/", frozenset()), *paths_of_loki("")]


def paths_of_programs() -> list[Path]:
    paths = [path for server in SERVERS for path in paths_of_server(f"/scraper/v1/server/{server}", server)]
    return paths + [Path("/scraper/v1/metrics", of()), Path("/scraper/v1/server_list", frozenset()),
                    Path("/scraper/v1/http_sd", frozenset())]


def covered(rights: list[str]) -> frozenset[str]:
    """The directories that the rights are to."""
    pairs = [right.split(":") for right in rights]
    return frozenset(name for name, (server, _) in DIRECTORIES.items()
                     if any(where in ("*", server) and name.startswith(prefix) for where, prefix in pairs))


def servers_seen(rights: list[str]) -> set[str]:
    return {server for server in SERVERS if any(right.split(":")[0] in ("*", server) for right in rights)}


def shown_in(text: str) -> frozenset[str]:
    return frozenset(name for name in DIRECTORIES if name in text)


class Permissions(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        entries = "".join(f"  - {{kind: {kind}, name: {name}, servers: [{server}]}}\n"
                          for name, (server, kind) in DIRECTORIES.items())
        cls.fleet = Fleet(entries, SERVERS)
        cls.enterClassContext(cls.fleet)
        for name, (server, kind) in DIRECTORIES.items():
            host = cls.fleet.hosts[server]
            if kind == "log":
                host.send(f"LOG {name} k a line of {name}".encode())
            else:
                host.send(f"STATUS {name} number 1".encode(), f"STATUS {name} text a value of {name}".encode())
        cls.keys = {}
        for reader, rights in READERS.items():
            add_user(cls.fleet.hub.file, reader, PASSWORD, *rights)
            cls.keys[reader] = add_key(cls.fleet.hub.file, reader, *rights)
        visitor = cls.fleet.visitor()
        wait_for("the last key", lambda: visitor.get("/metrics", {"X-ApiKey": cls.keys[reader]}).status == 200)

    def read(self, visitor: Visitor, headers: dict[str, str], path: Path, expected: frozenset[str]) -> tuple[int, str]:
        """Status and text; a stream's as far as everything expected has come."""
        connection, answer = visitor.open("GET", path.path, headers)
        try:
            text = str(answer.headers)
            if not path.stream or answer.status != 200:
                return answer.status, text + answer.read().decode(errors="replace")
            while not expected or not expected <= shown_in(text):
                line = answer.readline()
                if not line:
                    break
                text += line.decode(errors="replace")
            return answer.status, text
        finally:
            connection.close()

    def check(self, visitor: Visitor, headers: dict[str, str], rights: list[str], path: Path) -> None:
        expected = path.shows & covered(rights)
        status, text = self.read(visitor, headers, path, expected)
        self.assertEqual(shown_in(text) - path.mentions, expected, text)
        if path.directory:
            self.assertEqual(status, 200 if path.directory in expected else 404, text)
        elif path.server:
            self.assertEqual(status, 200 if path.server in servers_seen(rights) else 404, text)
        else:
            self.assertEqual(status, 200, text)
            unseen = {server for server in SERVERS if server not in servers_seen(rights)}
            self.assertFalse({server for server in unseen if server in text}, text)

    def test_people(self) -> None:
        rows = 0
        for reader, rights in READERS.items():
            visitor = self.fleet.log_in(reader)
            for path in paths_of_people():
                with self.subTest(reader=reader, path=path.path):
                    self.check(visitor, {}, rights, path)
                    rows += 1
        print(f"{rows} reads by people")

    def test_programs_on_their_own_surface_and_on_that_of_people(self) -> None:
        rows = 0
        for reader, rights in READERS.items():
            for path in paths_of_people() + paths_of_programs():
                with self.subTest(reader=reader, path=path.path):
                    self.check(self.fleet.visitor(), {"Authorization": f"Bearer {self.keys[reader]}"}, rights, path)
                    rows += 1
        print(f"{rows} reads by programs")

    def test_nobody(self) -> None:
        for path in paths_of_people() + paths_of_programs():
            for headers in ({}, {"Cookie": "mayfly_session=" + "x" * 43}, {"X-Forwarded-For": "127.0.0.1"}):
                with self.subTest(path=path.path, headers=headers):
                    reply = self.fleet.visitor().get(path.path, headers)
                    self.assertEqual(reply.status, 401)
                    self.assertFalse(shown_in(reply.text()))
            self.assertIn(self.fleet.visitor().get(path.path, HTML).status, (401, 303), path.path)

    def test_cookies_do_not_open_what_is_for_programs(self) -> None:
        visitor = self.fleet.log_in("all")
        for path in paths_of_programs():
            self.assertEqual(visitor.get(path.path).status, 401, path.path)

    def test_tricks_lead_nowhere(self) -> None:
        hidden = "sec-log-of-web-1"
        tricks = [
            "api/v1/logs/app-log-of-web-1/../{}", "api/v1/logs/app-log-of-web-1/%2e%2e/{}", "api/v1/logs//{}",
            "/api/v1/logs/{}", "api//v1/logs/{}", "api/v1/logs/app-log-of-web-1;x=/../{}", "api/v1/logs/app-log-of-web-1%2F..%2F{}",
            "api/v1/logs/app-log-of-web-1;/{}", "api/v1/logs/%73ec-log-of-web-1", "api/v1/logs/%2573ec-log-of-web-1",
            "api/v1/logs/{}%00app-log-of-web-1", "api/v1/%6cogs/{}", "%61pi/v1/logs/{}", "api/v1/logs/{};last=1/app-log-of-web-1",
            "api/v1/tail/{}?last=1", "api/v1/logs/./{}", "../web-1/api/v1/logs/{}", "../../scraper/v1/server/web-1/api/v1/logs/{}",
            "api/v1/logs?directory={}", "api/v1/logs/app-log-of-web-1?directory={}", "api/v1/logs/app-log-of-web-1/k?key={}",
            "loki/api/v1/query_range?query=%7Bdirectory%3D%22{}%22%7D", "loki/api/v1/label/directory/values",
            "loki/api/v1/series", "assets/{}", ""]
        visitor = self.fleet.log_in("apps")
        for trick in tricks:
            path = f"/frontend/servers/web-1/{trick.format(hidden)}"
            for headers in ({}, {"mayfly-scope": "sec-"}, {"Mayfly-Scope": ""}, {"X-Original-URL": f"/api/v1/logs/{hidden}"}):
                with self.subTest(path=path, headers=headers):
                    reply = visitor.get(path, headers)
                    self.assertNotIn(f"line of {hidden}", reply.text())
                    self.assertFalse(shown_in(reply.text()) - covered(READERS["apps"]) - shown_in(path))

    def test_a_right_that_is_taken_away_ends_open_tails(self) -> None:
        name = "app-log-of-web-1"
        for taken in ("right", "user"):
            reader = f"loser-of-{taken}"
            add_user(self.fleet.hub.file, reader, PASSWORD, "web-1:app-", "web-1:x")
            visitor = self.fleet.visitor()
            wait_for(f"{reader}'s login", lambda v=visitor, r=reader: v.log_in(r, PASSWORD).status == 303)
            connection, answer = visitor.open("GET", f"/frontend/servers/web-1/api/v1/tail/{name}?last=5")
            while f"line of {name}".encode() not in answer.readline():
                pass
            file = pathlib.Path(f"{self.fleet.hub.file}.d/user-{reader}.yaml")
            if taken == "user":
                file.unlink()
            else:
                file.write_text(file.read_text().replace('prefix: "app-"', 'prefix: "apq-"'))
            while answer.readline():  # until it is cut off
                pass
            connection.close()
            gone = visitor.get(f"/frontend/servers/web-1/api/v1/logs/{name}").status
            self.assertEqual(gone, 401 if taken == "user" else 404)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
