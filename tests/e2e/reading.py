"""What a reader sees of a running stack: relayd's answers over HTTP, event streams, and sums over them."""

import http.client
import json
import urllib.parse
from collections.abc import Iterator
from typing import Any

from harness import DEADLINE_S, Stack, wait_for


class Answer:
    """A complete HTTP answer."""

    def __init__(self, status: int, headers: http.client.HTTPMessage, body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def json(self) -> Any:
        return json.loads(self.body)

    def lines(self) -> list[dict]:
        """Of NDJSON."""
        return [json.loads(line) for line in self.body.splitlines()]


def get(url: str, path: str, headers: dict[str, str] | None = None, deadline_s: float = DEADLINE_S) -> Answer:
    """One GET on a connection of its own; `path` is used as it is."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=deadline_s)
    try:
        connection.request("GET", path, headers=headers or {})
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


def directories(stack: Stack) -> dict:
    """GET /api/v1/directories."""
    answer = get(stack.ready["relay"], "/api/v1/directories")
    if answer.status != 200:
        raise AssertionError(f"/api/v1/directories: {answer.status} {answer.body!r}")
    return answer.json()


def inspect(stack: Stack, *arguments: str) -> dict:
    """The first line of `mayfly inspect`."""
    result = stack.mayfly("inspect", *arguments)
    if not result.stdout:
        raise AssertionError(f"inspect: {result.returncode} {result.stderr!r}")
    return json.loads(result.stdout.splitlines()[0])


def find(state: dict, name: str, kind: str = "log") -> dict | None:
    """One directory of an answer."""
    for directory in state["directories"]:
        if (directory["kind"], directory["name"]) == (kind, name):
            return directory
    return None


def dropped(state: dict) -> dict[str, int]:
    """Drops by cause, over all directories, former ones and unknown ones."""
    total: dict[str, int] = {}
    for part in [*state["directories"], state["removed"], state["unknown"]]:
        for cause, count in part.get("dropped", {}).items():
            total[cause] = total.get(cause, 0) + count
    return {cause: count for cause, count in total.items() if count}


def stored(state: dict) -> int:
    return sum(directory["stored"] for directory in state["directories"]) + state["removed"]["stored"]


def taken_in(state: dict) -> int:
    """stored + dropped, commands that were no records aside."""
    return stored(state) + sum(count for cause, count in dropped(state).items() if cause != "bad_command")


def imbalances(state: dict) -> list[str]:
    """Directories of which stored = records + replaced + evicted does not hold, or a quota is exceeded."""
    wrong = []
    for directory in state["directories"]:
        accounted = directory["records"] + directory["replaced"] + sum(directory["evicted"].values())
        if directory["stored"] != accounted:
            wrong.append(f"stored {directory['stored']}, accounted for {accounted}: {directory}")
        quotas = directory["quotas"]
        if directory["keys"] > quotas["max_keys"] or directory["bytes"] > quotas["max_total_bytes"]:
            wrong.append(f"over its quotas: {directory}")
    removed = state["removed"]
    if removed["stored"] != removed["replaced"] + sum(removed["evicted"].values()):
        wrong.append(f"former directories: {removed}")
    return wrong


def wait_taken_in(stack: Stack, count: int) -> dict:
    """The state once stored + dropped has reached `count`; what does not arrive is told."""
    seen: list[dict] = []

    def reached() -> bool:
        seen[:] = [directories(stack)]
        return taken_in(seen[0]) >= count

    try:
        wait_for(f"stored + dropped = {count}", reached)
    except AssertionError as error:
        raise AssertionError(f"{error}; it is {taken_in(seen[0])}: {dropped(seen[0])}") from None
    return seen[0]


class EventStream:
    """A server-sent event stream; iterates over (event, data, id) until the connection ends."""

    def __init__(self, url: str, path: str, last_event_id: str = "") -> None:
        self.connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=DEADLINE_S)
        headers = {"Accept": "text/event-stream"}
        if last_event_id:
            headers["Last-Event-ID"] = last_event_id
        self.connection.request("GET", path, headers=headers)
        self.response = self.connection.getresponse()
        self.status = self.response.status

    def __enter__(self) -> "EventStream":
        return self

    def __exit__(self, *_: Any) -> None:
        self.connection.close()
        self.response.close()

    def __iter__(self) -> Iterator[tuple[str, dict, str]]:
        event, data, identifier = "message", "", ""
        while line := self.response.readline():
            field, _, value = line.decode().rstrip("\r\n").partition(":")
            value = value.removeprefix(" ")
            if line in (b"\n", b"\r\n"):
                if data:
                    yield event, json.loads(data), identifier
                event, data = "message", ""
            elif field == "event":
                event = value
            elif field == "data":
                data += value
            elif field == "id":
                identifier = value
