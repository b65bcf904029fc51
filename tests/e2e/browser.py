"""Chromium without a window, driven by WebDriver (W3C) over plain HTTP.

    with browser.Browser() as page:
        page.open("http://127.0.0.1:4719/")
        page.wait("a card", "return document.querySelector('.card')")

Scripts run in the page's own world. Everything ends with the context.
"""

import base64
import http.client
import json
import os
import re
import shutil
import subprocess
import tempfile
from typing import Any

from harness import DEADLINE_S, wait_for

# Chromium's sandbox needs user namespaces, and refuses to run as root.
ROOT_FLAGS = ["--no-sandbox"] if os.geteuid() == 0 else []
FLAGS = ["--headless=new", "--disable-gpu", "--disable-extensions", "--no-first-run", "--mute-audio", "--force-color-profile=srgb",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--js-flags=--expose-gc"]


def is_there() -> bool:
    return shutil.which("chromedriver") is not None and shutil.which("chromium") is not None


class Browser:
    def __init__(self, width: int = 1280, height: int = 800) -> None:
        self.home = tempfile.mkdtemp(prefix="mayfly-browser-", dir="/dev/shm")
        environment = dict(os.environ, HOME=self.home, XDG_CONFIG_HOME=self.home, XDG_CACHE_HOME=self.home)
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.DEVNULL, env=environment, text=True)
        self.session = ""
        self._messages: list[dict] = []
        try:
            self.port = self._port()
            options = {"binary": "/usr/bin/chromium",
                       "args": [*FLAGS, *ROOT_FLAGS, f"--window-size={width},{height}", f"--user-data-dir={self.home}/profile"]}
            capabilities = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"},
                            "timeouts": {"script": int(DEADLINE_S * 1000), "pageLoad": int(DEADLINE_S * 1000)}}
            answer = self._call("POST", "/session", {"capabilities": {"alwaysMatch": capabilities}})
            self.session = f"/session/{answer['sessionId']}"
        except BaseException:
            self.__exit__()
            raise

    def _port(self) -> int:
        for line in self.driver.stdout:
            found = re.search(r"started successfully on port (\d+)", line)
            if found:
                return int(found.group(1))
        raise AssertionError("chromedriver did not start")

    def _call(self, method: str, path: str, body: dict | None = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2 * DEADLINE_S)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, self.session + path, data, {"Content-Type": "application/json"} if data else {})
            value = json.loads(connection.getresponse().read())["value"]
        finally:
            connection.close()
        if isinstance(value, dict) and "error" in value:
            raise AssertionError(f"{value['error']}: {value['message']}")
        return value

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_: Any) -> None:
        if self.session:
            try:
                self._call("DELETE", "")
            except (OSError, AssertionError):
                pass
        self.driver.terminate()
        self.driver.wait()
        self.driver.stdout.close()
        shutil.rmtree(self.home, ignore_errors=True)

    def open(self, url: str) -> None:
        """Loads the page, again where the machine's own interfaces changed meanwhile: that fails every request."""
        for _ in range(10):
            self._call("POST", "/url", {"url": url})
            self._messages += self._call("POST", "/se/log", {"type": "browser"})
            if not any("ERR_NETWORK_CHANGED" in message["message"] for message in self._messages):
                return
            self._messages.clear()
        raise AssertionError("the machine's network interfaces do not come to rest")

    def url(self) -> str:
        return self._call("GET", "/url")

    def run(self, script: str, *arguments: Any) -> Any:
        """The value that `script` returns."""
        return self._call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def run_async(self, script: str, *arguments: Any) -> Any:
        """The value that `script`, the body of an async function, returns."""
        wrapped = ("const [...given] = arguments; const done = given.pop();"
                   f"(async function () {{ {script} }})(...given).then((value) => done({{value}}), (error) => done({{error: String(error)}}));")
        answer = self._call("POST", "/execute/async", {"script": wrapped, "args": list(arguments)})
        if "error" in answer:
            raise AssertionError(answer["error"])
        return answer.get("value")

    def wait(self, what: str, script: str, *arguments: Any, deadline_s: float = DEADLINE_S) -> Any:
        """The first true value of `script`."""
        try:
            return wait_for(what, lambda: self.run(script, *arguments), deadline_s)
        except AssertionError as problem:
            raise AssertionError(f"{problem}; the page says: {self.run('return document.body.innerText')[:2000]!r}") from None

    def wait_text(self, text: str, selector: str = "body") -> None:
        self.wait(f"{text!r} in {selector}",
                  "return [...document.querySelectorAll(arguments[0])].some((node) => node.innerText.includes(arguments[1]))", selector, text)

    def element(self, selector: str) -> str:
        found = self._call("POST", "/element", {"using": "css selector", "value": selector})
        return next(iter(found.values()))

    def click(self, selector: str) -> None:
        self._call("POST", f"/element/{self.element(selector)}/click", {})

    def type(self, selector: str, text: str) -> None:
        """Real key strokes into a field, after what is there."""
        self._call("POST", f"/element/{self.element(selector)}/value", {"text": text})

    def clear(self, selector: str) -> None:
        self._call("POST", f"/element/{self.element(selector)}/clear", {})

    def press(self, *keys: str) -> None:
        """Real key strokes to whatever has the focus. Special keys as WebDriver numbers them."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self._call("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def devtools(self, command: str, **parameters: Any) -> Any:
        return self._call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def console(self) -> list[dict]:
        """What the page wrote, and what the browser said of it, since the last call."""
        messages = self._messages + self._call("POST", "/se/log", {"type": "browser"})
        self._messages = []
        return messages

    def screenshot(self, path: str) -> None:
        with open(path, "wb") as file:
            file.write(base64.b64decode(self._call("GET", "/screenshot")))

    def resize(self, width: int, height: int, scale: float = 1, phone: bool = False) -> None:
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=phone)

    def color_scheme(self, scheme: str) -> None:
        self.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def heap_bytes(self) -> int:
        """The JavaScript heap after everything collectable was collected."""
        self.devtools("HeapProfiler.collectGarbage")
        return self.devtools("Runtime.getHeapUsage")["usedSize"]
