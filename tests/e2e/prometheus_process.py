"""Debian's Prometheus as a process of the test's own: on a free port, in memory-backed files, gone at the end."""

import json
import pathlib
import shutil
import subprocess
import tempfile
import urllib.parse
from typing import Any

import reading
from harness import DEADLINE_S, wait_for
from hub_process import free_port


def is_there() -> bool:
    return shutil.which("prometheus") is not None and shutil.which("promtool") is not None


class Prometheus:
    """`scrape_configs`: YAML below that key. Use as a context."""

    def __init__(self, scrape_configs: str) -> None:
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mayfly-prometheus-", dir="/dev/shm"))
        self.url = f"http://127.0.0.1:{free_port()}"
        config = self.folder / "prometheus.yml"
        config.write_text("global: {scrape_interval: 200ms, scrape_timeout: 200ms}\nscrape_configs:\n" + scrape_configs)
        self.log = tempfile.TemporaryFile("w+", errors="backslashreplace")
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={self.folder}/data",
             f"--web.listen-address={urllib.parse.urlsplit(self.url).netloc}", "--log.level=warn"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        try:
            wait_for("Prometheus", self._is_ready)
        except BaseException:
            self.__exit__()
            raise

    def _is_ready(self) -> bool:
        if self.process.poll() is not None:
            self.log.seek(0)
            raise AssertionError(f"Prometheus ended:\n{self.log.read()}")
        try:
            return reading.get(self.url, "/-/ready").status == 200
        except OSError:
            return False

    def __enter__(self) -> "Prometheus":
        return self

    def __exit__(self, *_: Any) -> None:
        self.process.terminate()
        try:
            self.process.wait(timeout=DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def api(self, path: str) -> Any:
        answer = json.loads(reading.get(self.url, f"/api/v1/{path}").body)
        if answer["status"] != "success":
            raise AssertionError(f"Prometheus: {answer}")
        return answer["data"]

    def query(self, expression: str) -> list[tuple[dict, float]]:
        """Labels and value of each series now."""
        result = self.api("query?query=" + urllib.parse.quote(expression))["result"]
        return [(series["metric"], float(series["value"][1])) for series in result]

    def wait_value(self, expression: str, value: float) -> None:
        wait_for(f"{expression} to be {value}", lambda: [found for _, found in self.query(expression)] == [value])

    def wait_up(self, count: int) -> None:
        """Until that many targets were scraped without a complaint."""
        seen: list[tuple[str, str, str]] = []

        def all_up() -> bool:
            seen[:] = [(target["scrapeUrl"], target["health"], target["lastError"])
                       for target in self.api("targets")["activeTargets"]]
            return len(seen) == count and all(health == "up" for _, health, _ in seen)

        try:
            wait_for(f"{count} targets that are up", all_up)
        except AssertionError as problem:
            raise AssertionError(f"{problem}: {seen}") from None


def check_metrics(text: bytes) -> str:
    """What `promtool check metrics` has to say: nothing, where all is well."""
    result = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, timeout=DEADLINE_S, check=False)
    return (result.stdout + result.stderr).decode() if result.returncode or result.stdout or result.stderr else ""
