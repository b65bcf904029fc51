"""A hub and several hosts of its own, each a whole `mayfly up`, connected by the tunnel."""

import contextlib
import pathlib
import secrets
import subprocess

from harness import BIN, DEADLINE_S, Stack, wait_for
from hub_process import Hub
from visitor import Visitor, add_user

ADMIN = "administrator"
PASSWORD = "a password nobody guesses"


class Fleet(contextlib.ExitStack):
    """Use as a context. `directories`: the hub's entries; each server of `names` is a host that connects."""

    def __init__(self, directories: str, names: list[str]) -> None:
        super().__init__()
        self.names = names
        self.hosts: dict[str, Stack] = {}
        self.hub = self.enter_context(Hub(directories))

    def __enter__(self) -> "Fleet":
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def _start(self) -> None:
        # Directories may name servers, so that all of these come at once.
        drop_ins = pathlib.Path(f"{self.hub.file}.d")
        drop_ins.mkdir()
        files = {name: self.hub.folder / f"{name}.yaml" for name in self.names}
        entries = "".join(f'  - {{name: {name}, tripcode: "{self._make_host(name, file)}"}}\n'
                          for name, file in files.items())
        (drop_ins / "servers.yaml").write_text(f"servers:\n{entries}")
        add_user(self.hub.file, ADMIN, PASSWORD, "*:")
        self.hub.start()
        for name, file in files.items():
            self.hosts[name] = self.enter_context(
                Stack("--config", str(file), "--no-hub", "--hub-url", self.hub.url))
        admin = self.administrator()
        for name in self.names:
            wait_for(f"{name} behind the hub",
                     lambda path=f"/frontend/servers/{name}/readyz": admin.get(path).status == 200)

    @staticmethod
    def _make_host(name: str, file: pathlib.Path) -> str:
        """Writes the host's file, with a new key; the key's tripcode."""
        file.touch(mode=0o600)
        file.write_text(f"name: {name}\napi_key: {secrets.token_hex(32)}\n")
        return subprocess.run([BIN / "relayd", "--print-tripcode", "--config", file], check=True, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=DEADLINE_S).stdout.strip()

    def visitor(self) -> Visitor:
        return Visitor(self.hub.port)

    def log_in(self, name: str, password: str = PASSWORD) -> Visitor:
        visitor = self.visitor()
        reply = visitor.log_in(name, password)
        assert reply.status == 303, reply.text()
        return visitor

    def administrator(self) -> Visitor:
        return self.log_in(ADMIN)
