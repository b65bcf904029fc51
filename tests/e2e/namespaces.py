"""Hosts of their own on this machine: network namespaces that reach the hub and that nobody reaches.

Each has one link to the hub's side, which can be cut. Needs root and `ip` (iproute2)."""

import os
import shutil
import subprocess
import unittest
from typing import Any


def ip(*arguments: str, check: bool = True) -> subprocess.CompletedProcess:
    return subprocess.run(["ip", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=check)


class Namespace:
    """10.66.N.2 inside, 10.66.N.1 on the hub's side. Use as a context."""

    def __init__(self, number: int) -> None:
        mark = f"{os.getpid() % 10000}{number}"
        self.name = f"mayfly-{mark}"
        self.outer, self.inner = f"mfo{mark}", f"mfi{mark}"
        self.hub_address, self.address = f"10.66.{number}.1", f"10.66.{number}.2"

    def __enter__(self) -> "Namespace":
        try:
            ip("netns", "add", self.name)
            ip("link", "add", self.outer, "type", "veth", "peer", "name", self.inner, "netns", self.name)
            ip("address", "add", f"{self.hub_address}/24", "dev", self.outer)
            ip("-n", self.name, "address", "add", f"{self.address}/24", "dev", self.inner)
            ip("-n", self.name, "link", "set", "lo", "up")
            ip("-n", self.name, "link", "set", self.inner, "up")
            self.restore()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: Any) -> None:
        ip("netns", "delete", self.name, check=False)
        ip("link", "delete", self.outer, check=False)

    def cut(self) -> None:
        """Silently, as somewhere on the way: both ends' links stay up, and what they send goes nowhere."""
        nowhere = ("lladdr", "02:00:00:00:00:01", "nud", "permanent")
        ip("neigh", "replace", self.address, *nowhere, "dev", self.outer)
        ip("-n", self.name, "neigh", "replace", self.hub_address, *nowhere, "dev", self.inner)

    def restore(self) -> None:
        ip("link", "set", self.outer, "up")
        ip("neigh", "delete", self.address, "dev", self.outer, check=False)
        ip("-n", self.name, "neigh", "delete", self.hub_address, "dev", self.inner, check=False)

    def command(self, *arguments: Any) -> list[str]:
        """Runs within the namespace."""
        return ["ip", "netns", "exec", self.name, *map(str, arguments)]


def require() -> None:
    """Skips the test where namespaces cannot be made."""
    if shutil.which("ip") is None:
        raise unittest.SkipTest("no ip (iproute2)")
    try:
        with Namespace(250):
            pass
    except subprocess.CalledProcessError as error:
        raise unittest.SkipTest(f"no network namespaces here: {error.stderr.strip()}") from None
