"""The packages' units, manuals and completions, as far as they can be judged without installing anything."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGING = ROOT / "packaging"
UNITS = sorted((PACKAGING / "systemd").iterdir())
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
MAX_EXPOSURE = 1.5
COMMANDS = ("", "up", "down", "log", "tail", "inspect", "top", "load", "hub add-server", "hub add-user", "hub add-scraper-key")
DAEMONS = ("ingestd", "relayd", "hubd")


def settings(unit: pathlib.Path, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", unit.read_text(), re.MULTILINE)


def flags_of(program: str, *arguments: str) -> set[str]:
    """Long flags that `--help` lists."""
    text = subprocess.run([pathlib.Path(os.environ["MAYFLY_BIN"], program), *arguments, "--help"], capture_output=True,
                          text=True, check=True).stdout
    return set(re.findall(r"^  (?:-\w,)?(--[a-z-]+)", text, re.MULTILINE))


@unittest.skipUnless(shutil.which("systemd-analyze"), "no systemd-analyze on this machine")
class Units(unittest.TestCase):
    def test_systemd_finds_nothing_wrong(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for unit in UNITS:  # the programs need not be installed for this
                text = re.sub(r"/usr/sbin/\w+", "/bin/true", unit.read_text())
                pathlib.Path(folder, unit.name).write_text(text)
            result = subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no",
                                     *(str(pathlib.Path(folder, unit.name)) for unit in UNITS)],
                                    capture_output=True, text=True, check=False)
            self.assertEqual((result.returncode, result.stderr), (0, ""))

    @unittest.skipUnless(shutil.which("systemd-sysusers"), "no systemd-sysusers on this machine")
    def test_users_and_directories_can_be_made(self) -> None:
        with tempfile.TemporaryDirectory() as root:
            for name in ("passwd", "group"):
                pathlib.Path(root, "etc").mkdir(exist_ok=True)
                pathlib.Path(root, "etc", name).write_text("root:x:0:\n" if name == "group" else "root:x:0:0:::\n")
            files = [str(path) for path in (PACKAGING / "debian").glob("*.sysusers")]
            subprocess.run(["systemd-sysusers", f"--root={root}", *files], check=True)
            made = pathlib.Path(root, "etc", "passwd").read_text()
            for unit in SERVICES:
                self.assertIn(settings(unit, "User")[0] + ":", made)

    def test_exposure(self) -> None:
        for unit in SERVICES:
            result = subprocess.run(["systemd-analyze", "security", "--offline=true", str(unit)], capture_output=True, text=True,
                                    check=False, env=dict(os.environ, LC_ALL="C.UTF-8"))
            exposure = re.search(r"Overall exposure level for \S+: ([0-9.]+)", result.stdout)
            self.assertIsNotNone(exposure, result.stdout + result.stderr)
            print(f"{unit.name}: exposure {exposure[1]}")
            self.assertLessEqual(float(exposure[1]), MAX_EXPOSURE, unit.name)


class Rules(unittest.TestCase):
    def test_neither_service_needs_the_other(self) -> None:
        for unit in SERVICES:
            bound = [word for key in ("Requires", "Requisite", "BindsTo", "PartOf") for line in settings(unit, key)
                     for word in line.split()]
            self.assertEqual([word for word in bound if word.endswith(".service")], [], unit.name)

    def test_wrong_configuration_is_not_tried_again(self) -> None:
        for unit in SERVICES:
            self.assertEqual(settings(unit, "RestartPreventExitStatus"), ["2"])
            self.assertEqual(settings(unit, "Restart"), ["on-failure"])
            interval, burst = (int(settings(unit, key)[0]) for key in ("StartLimitIntervalSec", "StartLimitBurst"))
            self.assertGreater(interval, burst * 6, "a start that waits 5 s for a lock would never reach the limit")

    def test_each_service_has_a_user_of_its_own(self) -> None:
        users = [settings(unit, "User")[0] for unit in SERVICES]
        self.assertEqual(len(set(users)), len(SERVICES))
        made = "".join(path.read_text() for path in (PACKAGING / "debian").glob("*.sysusers"))
        for user in users:
            self.assertIn(f"u {user} ", made)

    def test_data_survives_a_restart(self) -> None:
        for name in ("mayfly-ingest.service", "mayfly-relay.service"):
            unit = PACKAGING / "systemd" / name
            self.assertEqual((settings(unit, "RuntimeDirectoryPreserve"), settings(unit, "RemoveIPC")), (["yes"], ["no"]))
            self.assertEqual(settings(unit, "DynamicUser"), [])

    def test_ports_can_all_be_switched_off(self) -> None:
        for unit in UNITS:
            by_tcp = any(re.match(r"[0-9.]+:\d+$", stream) for stream in settings(unit, "ListenStream"))
            if by_tcp and unit.name != "mayfly-hub.socket":
                self.assertEqual(settings(unit, "Requires"), ["mayfly-ports.target"], unit.name)

    def test_every_unit_is_installed(self) -> None:
        installed = "".join(path.read_text() for path in (PACKAGING / "debian").glob("*.install"))
        patterns = [line.split()[0] for line in installed.splitlines()]
        for unit in UNITS:
            path = str(unit.relative_to(ROOT))
            self.assertTrue(any(pathlib.PurePath(path).match(pattern) for pattern in patterns), unit.name)


class Manuals(unittest.TestCase):
    def check(self, flags: set[str], page: str) -> None:
        text = (PACKAGING / "man" / page).read_text().replace("Fl -", "--").replace(" , -", " , --")
        for flag in flags:
            self.assertRegex(text, rf"{flag}\b", f"{page} does not tell of it")

    def test_every_flag_is_in_the_manual(self) -> None:
        for command in COMMANDS:
            self.check(flags_of("mayfly", *command.split()), "mayfly.1")
        for daemon in DAEMONS:
            self.check(flags_of(daemon), f"{daemon}.8")

    def test_every_flag_completes(self) -> None:
        bash, zsh = ((PACKAGING / "completion" / name).read_text() for name in ("mayfly.bash", "_mayfly"))
        flags = set().union(*(flags_of("mayfly", *command.split()) for command in COMMANDS), *(flags_of(name) for name in DAEMONS))
        for flag in flags:
            self.assertRegex(bash, rf"{flag}\b")
            self.assertRegex(zsh, rf"{flag}\b")

    def test_bash_completes(self) -> None:
        for line, cursor, expected in (("mayfly ta", 1, "tail"), ("mayfly tail --fo", 2, "--follow"), ("mayfly hub add-u", 2, "add-user"),
                                       ("mayfly ls st", 2, "status"), ("ingestd --peer", 1, "--peer-dir"),
                                       ("mayfly load --kind lo", 3, "log"), ("mayfly --runtime-dir /run do", 3, "down\ndoctor")):
            script = f'source {PACKAGING}/completion/mayfly.bash; COMP_WORDS=({line}); COMP_CWORD={cursor}; _mayfly; ' \
                     'printf "%s\\n" "${COMPREPLY[@]}"'
            result = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, check=False)
            self.assertEqual(result.stdout.strip(), expected, line + result.stderr)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
