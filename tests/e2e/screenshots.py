#!/usr/bin/python3
"""Makes the pictures in docs/screenshots anew: MAYFLY_BIN=build/release/bin tests/e2e/screenshots.py [FOLDER]

Not a test: somebody looks at them."""

import math
import pathlib
import random
import sys
import threading
import time

import browser
import small_png
from fleet import ADMIN, PASSWORD, Fleet
from harness import Stack

DIRECTORIES = """\
  - {kind: log, name: nginx, max_total_bytes: 1MiB, max_events_per_key: 4000}
  - {kind: log, name: worker}
  - {kind: log, name: build, max_events_per_key: 12, max_value_bytes: 100}
  - {kind: status, name: sensors, stale_after: 10s, max_keys: 12}
  - {kind: status, name: deploy}
"""
NAMES = ["frankfurt-1", "frankfurt-2", "lisbon-1"]
HISTORY_S = 45.0  # so that charts have something to show
DESKTOP, PHONE = (1280, 800, False), (390, 844, True)
ENTER = "\ue007"


class Writer(threading.Thread):
    """A host with something to say."""

    def __init__(self, host: Stack, seed: int) -> None:
        super().__init__(daemon=True)
        self.connection = host.connect()
        self.dice = random.Random(seed)
        self.done = threading.Event()

    def say(self, *lines: str) -> None:
        self.connection.sendall("".join(f"{line}\n" for line in lines).encode())

    def run(self) -> None:
        self.say("STATUS deploy version 2026.11.3", "STATUS deploy commit 4f1c9e2", "STATUS deploy state \x1b[32mhealthy\x1b[0m",
                 "STATUS deploy region eu-1", "STATUS sensors door open")
        turn = 0
        while not self.done.wait(0.1):
            turn += 1
            self.requests(turn)
            self.sensors()
            if turn % 4 == 0:
                outcome = self.dice.choice(["queued", "started", "done", "done", "\x1b[1;31mfailed: connection reset by peer\x1b[0m"])
                self.say(f"LOG worker {self.dice.choice(['mailer', 'resizer'])} job {turn} {outcome}")
            if turn % 15 == 0:
                self.say(f"LOG build make [{turn // 15 % 100:3d}%] Building CXX object {'x' * self.dice.randint(1, 110)}.o")
        self.connection.close()

    def finish(self) -> None:
        self.done.set()
        self.join()

    def requests(self, turn: int) -> None:
        count = 2 + round(2 * math.sin(turn / 40)) + self.dice.randint(0, 2)
        for _ in range(count):
            code, color = self.dice.choices([(200, 32), (304, 36), (404, 33), (500, 31)], [80, 10, 7, 3])[0]
            path = self.dice.choice(["/", "/api/v1/orders", "/static/app.css", "/login", f"/api/v1/users/{self.dice.randint(1, 999)}"])
            self.say(f"LOG nginx {self.dice.choice(['front', 'api', 'admin'])} {self.dice.choice(['GET', 'GET', 'POST'])} {path} "
                     f"\x1b[{color}m{code}\x1b[0m {self.dice.randint(1, 400)} ms \x1b[90m{self.dice.randint(100, 90000)} bytes\x1b[0m")

    def sensors(self) -> None:
        now = time.time()
        for index, key in enumerate(["cpu.load", "disk.free_gib", "fan.rpm", "mem.used_mib", "net.rx_kbps", "queue.depth", "temp.cpu", "temp.ssd"]):
            if self.dice.random() < 0.3:
                self.say(f"STATUS sensors {key} {40 + index * 13 + 12 * math.sin(now / (3 + index)) + self.dice.random() * 3:.2f}")


class Camera:
    def __init__(self, page: browser.Browser, folder: pathlib.Path) -> None:
        self.page = page
        self.folder = folder

    def take(self, name: str, scheme: str, size: tuple[int, int, bool]) -> None:
        width, height, phone = size
        self.page.color_scheme(scheme)
        self.page.resize(width, height, 1, phone)
        self.page.run_async("await new Promise((done) => setTimeout(done, 2500));")  # until rates have been told twice
        path = self.folder / f"{name}-{scheme}{'-phone' if phone else ''}.png"
        self.page.screenshot(str(path))
        small_png.make_small(path)
        print(f"{path}: {path.stat().st_size} bytes")

    def all_sizes(self, name: str) -> None:
        for size in (DESKTOP, PHONE):
            for scheme in ("light", "dark"):
                self.take(name, scheme, size)


def take_all(fleet: Fleet, camera: Camera) -> None:
    page = camera.page
    host = fleet.hosts[NAMES[0]].ready["relay"]
    page.resize(*DESKTOP[:2])
    page.open(f"{host}/#/status/sensors")
    time.sleep(HISTORY_S / 2)
    page.press("j", ENTER)
    camera.all_sizes("status")
    page.run("location.hash = '#/'")
    camera.all_sizes("overview")
    page.run("location.hash = '#/log/nginx'")
    camera.all_sizes("log")
    page.open(f"{fleet.hub.url}/frontend/servers/")
    page.type("input[name=username]", ADMIN)
    page.type("input[name=password]", PASSWORD)
    page.click("form button, form input[type=submit]")
    page.wait("the list", "return document.querySelectorAll('td.fullest .bar:not([hidden])').length >= 2")
    camera.take("servers", "dark", DESKTOP)
    camera.take("servers", "dark", PHONE)
    page.type(".search .filter-input", "500|failed" + ENTER)
    page.wait("lines", "return document.querySelectorAll('.search-results .row').length > 3")
    camera.take("servers", "light", DESKTOP)
    camera.take("servers", "light", PHONE)


def main() -> None:
    default = pathlib.Path(__file__).resolve().parents[2] / "docs" / "screenshots"
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    folder.mkdir(parents=True, exist_ok=True)
    with Fleet(DIRECTORIES, NAMES) as fleet, browser.Browser() as page:
        writers = [Writer(host, seed) for seed, host in enumerate(fleet.hosts.values())]
        for writer in writers:
            writer.start()
        try:
            fleet.hub.write_raw("directories:\n" + DIRECTORIES)  # the servers are in a file of their own
            writers.pop().finish()
            fleet.hosts[NAMES[2]].stop()
            time.sleep(HISTORY_S / 2)
            take_all(fleet, Camera(page, folder))
        finally:
            for writer in writers:
                writer.finish()


if __name__ == "__main__":
    main()
