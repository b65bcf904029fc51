"""Places that do not suit: a message that says what to do, an exit code, and never a half-working service."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable

from machine import PACKAGES, WORK, Root, remove_traces, wait_for

LAYOUT_VERSION_OFFSET = 16  # docs/shm-format.md
MIB = 1 << 20

# Starts `mayfly up` with what follows as flags, waits for its ready line, writes and reads a record, ends it. Prints the ready line.
TRY = """
set -e
try() {{
  coproc up {{ exec {user} mayfly up --json --no-demo "$@" 2>/tmp/log.$$; }}
  pid=$up_PID
  read -r -t 60 ready <&"${{up[0]}}" || {{ wait $pid || code=$?; cat /tmp/log.$$; exit ${{code:-1}}; }}
  case $ready in *'"event":"ready"'*) ;; *) echo "$ready"; cat /tmp/log.$$; kill $pid; wait $pid || true; exit 9 ;; esac
  {user} mayfly log demo hello world {dir} >/dev/null
  {user} mayfly tail demo hello {dir} | grep -q world
  kill $pid; wait $pid
  echo "$ready"
}}
"""


def check(condition: object, what: str) -> None:
    if not condition:
        raise AssertionError(what)


def attempt(root: Root, before: str, flags: str = "", user: str = "", directory: str = "", nspawn: tuple[str, ...] = ()) -> subprocess.CompletedProcess:
    script = TRY.format(user=user, dir=f"--runtime-dir {directory}" if directory else "")
    flags += f" --runtime-dir {directory}" if directory else ""
    return root.run(f"{script}\n{before}\ntry {flags}", *nspawn, check=False)


def works(result: subprocess.CompletedProcess) -> dict:
    check(result.returncode == 0, f"exit {result.returncode}: {result.stdout[-2000:]} {result.stderr[-2000:]}")
    return json.loads(result.stdout.strip().splitlines()[-1])


def refuses(result: subprocess.CompletedProcess, code: int, *words: str) -> None:
    said = result.stdout + result.stderr
    check(result.returncode == code, f"exit {result.returncode}, not {code}: {said[-2000:]}")
    for word in words:
        check(word in said, f"it does not say '{word}': {said[-2000:]}")


def without_systemd(root: Root) -> None:
    works(attempt(root, ""))


def unprivileged(root: Root) -> None:
    ready = works(attempt(root, "useradd -m ada", user="runuser -u ada --"))
    check(ready["runtime_dir"].startswith("/dev/shm/mayfly-1"), str(ready))


def without_ipv6(root: Root) -> None:
    """A network of its own, in which IPv6 is off before anything starts."""
    script = TRY.format(user="", dir="") + "\ntest ! -s /proc/net/if_inet6\ntry"
    words = ["unshare", "-n", "bash", "-c", "ip link set lo up; echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6; exec \"$@\"", "-",
             "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--pipe", "-D", str(root.folder), "bash", "-c", script]
    works(subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300))


def small_shm_of_a_container(root: Root) -> None:
    works(attempt(root, "mount -o remount,size=64M /dev/shm"))


def shm_too_small(root: Root) -> None:
    refuses(attempt(root, "mount -o remount,size=1M /dev/shm"), 1, "free", "/dev/shm", "remount,size=")
    refuses(attempt(root, "mount -o remount,size=64M /dev/shm", "--memory 128MiB"), 1, "134217728", "/dev/shm", "enlarge")


def noexec_shm(root: Root) -> None:
    works(attempt(root, "mount -o remount,noexec /dev/shm"))


def no_shm(root: Root) -> None:
    refuses(attempt(root, "umount /dev/shm; rmdir /dev/shm"), 2, "/dev/shm", "--runtime-dir")


def read_only_shm(root: Root) -> None:
    refuses(attempt(root, "mount -o remount,ro /dev/shm"), 2, "/dev/shm", "--runtime-dir")


def a_disk(root: Root) -> None:
    refuses(attempt(root, "", directory="/root/on-a-disk"), 2, "not memory-backed", "tmpfs")


def an_old_segment(root: Root) -> None:
    spoil = f"printf '\\x63' | dd of=/dev/shm/mayfly-0/segments/data bs=1 seek={LAYOUT_VERSION_OFFSET} conv=notrunc status=none"
    result = attempt(root, f"(try --memory 8MiB) >/dev/null; {spoil}", "--memory 8MiB")
    works(result)
    # With no room for both, it says which file is in the way.
    result = attempt(root, f"mount -o remount,size=64M /dev/shm; (try --memory 40MiB) >/dev/null; {spoil}")
    refuses(result, 1, "data.aside")


def broken_configuration(root: Root) -> None:
    for program in ("ingestd", "relayd", "hubd"):
        refuses(root.run(f"printf 'a: 1\\n' >/tmp/x.yaml; {program} --config /tmp/x.yaml", check=False), 2, "/tmp/x.yaml:1:1")
        refuses(root.run(f"{program} --config /tmp/absent.yaml", check=False), 2, "/tmp/absent.yaml")


def without_the_hub(root: Root) -> None:
    refuses(attempt(root, "mv /usr/sbin/hubd /usr/sbin/hubd.away"), 2, "mayfly-hub", "--hub-url", "--no-hub")
    root.run("mv /usr/sbin/hubd.away /usr/sbin/hubd")


def memory_limit(root: Root) -> None:
    """In a control group of this machine, where one can be made; the segment is charged to it."""
    version_1 = pathlib.Path("/sys/fs/cgroup/memory")
    group = (version_1 if version_1.is_dir() else pathlib.Path("/sys/fs/cgroup")) / "mayfly-package-test"
    try:
        group.mkdir()
        limit, usage = ("memory.limit_in_bytes", "memory.usage_in_bytes") if version_1.is_dir() else ("memory.max", "memory.current")
        (group / limit).write_text(str(200 * MIB))
    except OSError as error:
        print(f"   NOT TRIED: no memory control group here ({error})")
        return
    try:
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            command = ["bash", "-c", f"echo $$ >{group}/cgroup.procs; exec \"$@\"", "-", str(root.folder / "usr/sbin/ingestd"), "--runtime-dir",
                       folder, "--ingest", "none", "--redis", "none"]
            refused = subprocess.run([*command, "--memory", "256MiB"], capture_output=True, text=True, check=False, timeout=60)
            refuses(refused, 2, "256", "memory limit", "MemoryMax=")
            with subprocess.Popen(command, stderr=subprocess.DEVNULL) as ingestd:
                segment = pathlib.Path(folder, "segments", "data")
                wait_for("the segment", segment.exists)
                size, charged = segment.stat().st_size, int((group / usage).read_text())
                ingestd.send_signal(signal.SIGTERM)
                check(ingestd.wait(timeout=60) == 0, "it serves within the limit")
            check(size <= 100 * MIB <= size + MIB, f"half of the limit by default: {size}")
            check(charged >= size, f"charged {charged} for a segment of {size}")
            print(f"   limit {200 * MIB}, segment {size}, charged {charged}")
    finally:
        wait_for("the group to be empty", lambda: not (group / "cgroup.procs").read_text())
        os.rmdir(group)


def main() -> None:
    with Root(PACKAGES) as root:
        root.run("apt-get update && apt-get install -y --no-install-recommends /packages/*.deb")
        print("ok: installed where no systemd runs", flush=True)
        cases: list[Callable[[Root], None]] = [without_systemd, unprivileged, without_ipv6, small_shm_of_a_container, shm_too_small, noexec_shm,
                                               no_shm, read_only_shm, a_disk, an_old_segment, broken_configuration, without_the_hub, memory_limit]
        failed = []
        for case in cases:
            name = case.__name__.replace("_", " ")
            try:
                case(root)
                print(f"ok: {name}", flush=True)
            except AssertionError as error:
                print(f"FAILED: {name}: {error}", flush=True)
                failed.append(name)
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    WORK.mkdir(parents=True, exist_ok=True)
    try:
        main()
    finally:
        remove_traces()
        sys.stdout.flush()
