"""Hubs that are away, silent, or talk nonsense: service goes on, or waits for a first answer."""

import json
import socket
import sys
import unittest

import reading
from harness import DEADLINE_S, Stack, wait_for
from hub_case import PATIENT, Native, WithHub, entry
from hub_process import Hub, SilentHub


class HubAway(WithHub):
    def test_service_goes_on(self) -> None:
        self.start(entry("demo"))
        self.service_goes_on_first()
        self.hub.stop()
        wait_for("relayd's complaint", lambda: "quotas from" in self.stack.log_text())
        self.service_goes_on()
        for program in ("relayd", "ingestd", "relayd"):
            self.restart(program)
            wait_for("relayd", lambda: reading.get(self.stack.ready["relay"], "/readyz").status == 200)
            self.service_goes_on()
        self.hub.write(entry("demo", max_keys=5))
        self.hub.start()
        self.wait_quota("max_keys", 5)
        self.assertEqual(reading.imbalances(reading.directories(self.stack)), [])

    def service_goes_on_first(self) -> None:
        self.stack.send(b"LOG demo k first")

    def no_service_yet(self, native: Native) -> None:
        self.assertRegex(native.line(), rb"^-STOP no-quotas.*\r\n$")
        native.say(b"LOG demo k early", b"PING early")
        self.assertEqual((native.line(), native.line()), (b"$5\r\n", b"early\r\n"))
        state = reading.directories(self.stack)
        self.assertEqual((state["directories"], state["unknown"]["dropped"]["stopped"]), ([], 1))
        self.assertEqual(reading.get(self.stack.ready["relay"], "/readyz").status, 503)
        self.assertEqual(reading.get(self.stack.ready["relay"], "/healthz").status, 200)

    def service_comes(self, native: Native) -> None:
        self.assertEqual(native.line(), b"+GO\r\n")
        native.say(b"LOG demo k late", b"PING")
        self.assertEqual(native.line(), b"+PONG\r\n")
        self.assertEqual(self.lines(), ["late"])
        wait_for("readiness", lambda: reading.get(self.stack.ready["relay"], "/readyz").status == 200)

    def test_a_first_start_without_it(self) -> None:
        self.start(entry("demo"), False, "--serving-wait-ms", "50")
        with Native(self.stack) as native:
            self.no_service_yet(native)
            self.hub.start()
            self.service_comes(native)

    def test_one_that_accepts_and_says_nothing(self) -> None:
        self.hub = Hub(entry("demo"))
        self.addCleanup(self.hub.__exit__)
        with SilentHub(self.hub.port) as silent:
            self.stack = Stack(*PATIENT, *self.hub.host_flags(), "--serving-wait-ms", "50")
            self.addCleanup(self.stack.__exit__)
            self.stack.wait_ready()
            with Native(self.stack) as native:
                self.no_service_yet(native)
                wait_for("relayd to ask", lambda: silent.accepted)
                silent.refuse_more()
                self.hub.start()
                # The connection to the silent one has to be given up for that.
                self.service_comes(native)
        self.assertRegex(self.stack.log_text(), r"quotas from .*[Tt]ime")

    def test_one_that_speaks_nonsense(self) -> None:
        self.start(entry("demo"))
        self.stack.send(b"LOG demo k line")
        version = self.directory()["quota_version"]
        self.hub.stop()
        answers = [b"not even HTTP\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
                   b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"version\":\"1\",\"directories\":[]}",
                   b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
                   b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
                   b"HTTP/1.1 200 OK\r\nContent-Length: 32\r\n\r\n" + json.dumps(
                       {"version": "1", "directories": 5}).encode()]
        with socket.create_server(("127.0.0.1", self.hub.port)) as server:
            server.settimeout(DEADLINE_S)
            for answer in answers:
                connection, _ = server.accept()
                with connection:
                    connection.settimeout(DEADLINE_S)
                    connection.recv(65536)
                    connection.sendall(answer)
        self.service_goes_on()
        self.assertEqual(self.directory()["quota_version"], version)
        self.hub.write(entry("demo", max_keys=5))
        self.hub.start()
        self.wait_quota("max_keys", 5)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
