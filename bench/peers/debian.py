"""The peers' programs, from Debian's packages, unpacked below the build tree.

Unpacked, not installed: no daemon is started on the machine, syslog-ng and rsyslog (which exclude each other) can both
be had, and no rights are needed.
"""

import os
import pathlib
import re
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ("usr/bin", "usr/sbin", "bin", "sbin")
DEPENDS = ("--recurse", "--no-recommends", "--no-suggests", "--no-conflicts", "--no-breaks", "--no-replaces",
           "--no-enhances")


def peer_packages() -> list[str]:
    text = (ROOT / "packaging/debian/control").read_text()
    return re.findall(r"^ (\S+) <pkg\.mayfly\.peers>", text, re.MULTILINE)


def run(*command: str, cwd: pathlib.Path | None = None) -> str:
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout


def installed(package: str) -> bool:
    result = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status}", package], capture_output=True, text=True,
                            check=False)
    return result.stdout.startswith("installed")


def missing_packages() -> list[str]:
    """The peers, and the libraries they need that this machine lacks."""
    peers = peer_packages()
    lines = run("apt-cache", "depends", *DEPENDS, *peers).splitlines()
    names = {line.strip() for line in lines if line and line[0].isalnum()}
    # Redis' server is a link to a program of redis-tools. Of alternatives the machine has one already.
    wanted = {name for name in names if name.startswith("lib") and not name.startswith("libelogind")} | {"redis-tools"}
    return sorted(name for name in wanted | set(peers) if not installed(name))


def download(packages: list[str], folder: pathlib.Path) -> None:
    command = ("apt-get", "-o", "APT::Sandbox::User=root", "download", *packages)
    try:
        run(*command, cwd=folder)
    except subprocess.CalledProcessError:
        # The lists of a fresh machine are empty or out of date.
        rights = () if os.getuid() == 0 else ("sudo",)
        run(*rights, "apt-get", "update")
        run(*command, cwd=folder)


class Programs:
    """Where the programs are; `fetch()` first."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.root = folder / "root"
        self.done = folder / "fetched"
        self.folder = folder

    def fetch(self) -> None:
        if self.done.exists():
            return
        missing = missing_packages()
        archives = self.folder / "archives"
        shutil.rmtree(self.root, ignore_errors=True)
        for folder in (self.root, archives):
            folder.mkdir(parents=True, exist_ok=True)
        if missing:
            print(f"fetching {' '.join(missing)}", flush=True)
            download(missing, archives)
        for archive in sorted(archives.glob("*.deb")):
            run("dpkg-deb", "-x", str(archive), str(self.root))
        self.done.write_text("\n".join(missing) + "\n")

    def path(self, name: str) -> str | None:
        """None: this Debian has no such program."""
        places = [self.root / folder / name for folder in FOLDERS] + [pathlib.Path("/") / folder / name for folder in FOLDERS]
        return next((str(place) for place in places if place.exists()), None)

    def library(self, name: str) -> pathlib.Path | None:
        """A directory of libraries or modules of a package, wherever it is."""
        for root in (self.root, pathlib.Path("/")):
            found = sorted((root / "usr/lib").glob(f"*/{name}")) + sorted((root / "usr/lib").glob(name))
            if found:
                return found[0]
        return None

    def environment(self) -> dict[str, str]:
        folders = [str(path) for path in (self.root / "usr/lib").glob("*-linux-gnu")]
        folders += [str(path) for path in (self.root / "lib").glob("*-linux-gnu")]
        if (syslog_ng := self.library("syslog-ng")) is not None:
            folders.append(str(syslog_ng))
        return dict(os.environ, LD_LIBRARY_PATH=":".join(folders))

    def version(self, package: str) -> str:
        """As Debian calls it; of the unpacked archive, else of what is installed."""
        found = sorted((self.folder / "archives").glob(f"{package}_*.deb"))
        if found:
            return run("dpkg-deb", "-f", str(found[-1]), "Version").strip()
        return run("dpkg-query", "-W", "-f", "${Version}", package).strip()
