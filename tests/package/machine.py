"""Clean Debian 12 roots to install packages in: a plain one (no systemd running) and a booted one.

The base root is made once by debootstrap, from the mirror that this machine's apt uses, and kept below build/.
Needs root. Everything started here ends with its context.
"""

import os
import pathlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / "build" / "package"
BASE = WORK / "base"
INCLUDED = "systemd,systemd-sysv,dbus,ca-certificates,curl,adduser,procps,iproute2,python3-minimal"
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DEADLINE_S = 180.0
DEBS = pathlib.Path(os.environ.get("MAYFLY_DEBS", ROOT / "build" / "deb"))
PACKAGES = sorted(path for path in DEBS.glob("*.deb") if "-dbgsym_" not in path.name)


def wait_for(what: str, condition: Callable[[], Any], deadline_s: float = DEADLINE_S) -> Any:
    """The first true answer of `condition`; an AssertionError naming `what` after the deadline."""
    end = time.monotonic() + deadline_s
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"waited in vain for {what}")
        time.sleep(0.1)


def mirror() -> str:
    """Where this machine's apt fetches Debian 12 from."""
    targets = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Codename: bookworm",
                              "Component: main"], capture_output=True, text=True, check=True).stdout.split()
    if not targets:
        raise SystemExit("package test: apt here knows no Debian 12 to install from")
    return targets[0]


def make_base() -> pathlib.Path:
    """The clean root that all others are copies of."""
    if not (BASE / "etc" / "debian_version").exists():
        print("== debootstrap")
        shutil.rmtree(BASE, ignore_errors=True)
        BASE.mkdir(parents=True)
        result = subprocess.run(["debootstrap", "--variant=minbase", f"--include={INCLUDED}", "bookworm", str(BASE), mirror()],
                                capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise SystemExit(result.stdout[-2000:] + result.stderr)
        subprocess.run(["chroot", str(BASE), "systemd-machine-id-setup"], check=False, capture_output=True)
    return BASE


class Root:
    """A copy of the base, as a context. `packages` are put into /packages."""

    def __init__(self, packages: Sequence[pathlib.Path] = ()) -> None:
        base = make_base()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="root-", dir=WORK))
        subprocess.run(["cp", "-a", "--reflink=auto", f"{base}/.", str(self.folder)], check=True)
        self.folder.chmod(0o755)
        (self.folder / "etc" / "hostname").write_text("fresh\n")
        self.put(packages)

    def put(self, packages: Sequence[pathlib.Path], folder: str = "packages") -> None:
        (self.folder / folder).mkdir(exist_ok=True)
        for package in packages:
            shutil.copy(package, self.folder / folder)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: Any) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, command: str, *flags: str, check: bool = True, user: str = "root") -> subprocess.CompletedProcess:
        """A shell command in a container of this root, with this machine's network unless a flag says otherwise."""
        result = subprocess.run(["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--pipe", f"--user={user}",
                                 "-D", str(self.folder), "--resolv-conf=copy-host", *flags, "env", PATH, "LC_ALL=C.UTF-8",
                                 "DEBIAN_FRONTEND=noninteractive", "bash", "-c", command],
                                stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=1800)
        if check and result.returncode != 0:
            raise AssertionError(f"{command}: exit {result.returncode}\n{result.stdout[-3000:]}\n{result.stderr[-3000:]}")
        return result

    def fetch_dependencies(self) -> None:
        """What the packages in /packages need, so that a machine without a network can install them."""
        Root.run(self, "apt-get update && apt-get install -y --download-only /packages/*.deb")


class Machine(Root):
    """The same, booted: systemd runs in it, with a loopback of its own and no other network."""

    def __enter__(self) -> "Machine":
        self.log = open(WORK / "machine.log", "w", encoding="utf-8")
        self.process = subprocess.Popen(["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot",
                                         "--private-network", "--console=pipe", "-D", str(self.folder)],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        try:
            wait_for("the machine to be up", self._is_up)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _find_leader(self) -> bool:
        """The container's first process; before it there are others, which prepare it and go."""
        for child in pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
            try:
                if pathlib.Path(f"/proc/{child}/comm").read_text() == "systemd\n":
                    self.leader = child
                    return True
            except FileNotFoundError:
                continue
        return False

    def _is_up(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError("the machine ended: " + (WORK / "machine.log").read_text())
        if not self._find_leader():
            return False
        if self.run("systemctl is-system-running", check=False).stdout.strip() not in ("running", "degraded"):
            return False
        # systemd-nspawn covers the kernel's boot id with one of its own, which sandboxed services do not see.
        self.run("while umount /proc/sys/kernel/random/boot_id 2>/dev/null; do :; done")
        return True

    def run(self, command: str, *flags: str, check: bool = True, user: str = "root") -> subprocess.CompletedProcess:
        """A shell command in the running machine."""
        words = ["nsenter", "-t", self.leader, "-m", "-u", "-i", "-n", "-p", "-r", "-w", "env", "-i", PATH, "LC_ALL=C.UTF-8",
                 "DEBIAN_FRONTEND=noninteractive", "HOME=/root"]
        if user != "root":
            words += ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"]
        result = subprocess.run([*words, "bash", "-c", command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                check=False, timeout=600)
        if check and result.returncode != 0:
            raise AssertionError(f"{command}: exit {result.returncode}\n{result.stdout[-3000:]}\n{result.stderr[-3000:]}")
        return result

    def says(self, command: str, user: str = "root") -> str:
        return self.run(command, user=user).stdout.strip()

    def succeeds(self, command: str, user: str = "root") -> bool:
        return self.run(command, check=False, user=user).returncode == 0

    def wait(self, command: str) -> None:
        """Until the command succeeds."""
        try:
            wait_for(command, lambda: self.succeeds(command))
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.journal()[-4000:]}") from None

    def journal(self, unit: str = "mayfly-*") -> str:
        return self.run(f"journalctl --no-pager -o cat -u '{unit}'", check=False).stdout

    def start_in_background(self, command: str) -> subprocess.Popen:
        return subprocess.Popen(["nsenter", "-t", self.leader, "-m", "-u", "-i", "-n", "-p", "-r", "-w", "env", "-i", PATH,
                                 "bash", "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)

    def __exit__(self, *_: Any) -> None:
        if self.process.poll() is None and self._find_leader():
            self.run("systemctl poweroff", check=False)
        try:
            self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        super().__exit__()


def remove_traces() -> None:
    """Control groups that systemd-nspawn leaves where no systemd cleans up after it."""
    for hierarchy in ("systemd", "unified", "."):
        for name in ("payload", "supervisor"):
            group = pathlib.Path("/sys/fs/cgroup", hierarchy, name)
            if (group / "cgroup.procs").exists():
                nested = sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True)
                for path in [*nested, group]:
                    try:
                        path.rmdir()
                    except OSError:
                        pass


def with_version(package: pathlib.Path, version: str, folder: pathlib.Path) -> pathlib.Path:
    """A copy of a package that calls itself by another version."""
    with tempfile.TemporaryDirectory(dir=WORK) as tree:
        subprocess.run(["dpkg-deb", "-R", str(package), tree], check=True)
        control = pathlib.Path(tree, "DEBIAN", "control")
        old = subprocess.run(["dpkg-deb", "-f", str(package), "Version"], capture_output=True, text=True, check=True).stdout.strip()
        control.write_text(control.read_text().replace(f"Version: {old}\n", f"Version: {version}\n").replace(f"(= {old})", f"(= {version})"))
        folder.mkdir(parents=True, exist_ok=True)
        out = folder / package.name.replace(old, version)
        subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, str(out)], check=True, capture_output=True)
    return out
