"""The packages under systemd in a clean Debian: installed, used, killed, upgraded, removed, purged."""

import json
import pathlib
import sys
from collections.abc import Callable

from machine import PACKAGES, WORK, Machine, remove_traces, wait_for, with_version

NEWER = "0.1.1+test"
SERVICES = ("mayfly-ingest", "mayfly-relay", "mayfly-hub")
SOCKETS = ("mayfly-ingest.socket", "mayfly-ingest-tcp.socket", "mayfly-redis.socket", "mayfly-relay.socket", "mayfly-relay-tcp.socket",
           "mayfly-hub.socket")
DATA = "/run/mayfly/ingest/segments/data"
LAYOUT_VERSION_OFFSET = 16  # docs/shm-format.md
# What installing anything changes: caches and journals, not the packages' business.
NOT_OURS = "-path /proc -o -path /sys -o -path /dev -o -path /tmp -o -path /packages -o -path /newer -o -path /var/cache -o -path /var/log " \
           "-o -path /var/lib/dpkg -o -path /var/lib/apt -o -path /run/systemd -o -path /run/log -o -path /run/udev -o -path /run/user"


def check(condition: object, what: str) -> None:
    if not condition:
        raise AssertionError(what)


def lines(machine: Machine, key: str) -> list[dict]:
    text = machine.says(f"mayfly tail --json -n 100000 demo {key}")
    return [json.loads(line) for line in text.splitlines()]


def everything_there(machine: Machine) -> set[str]:
    """All files, users and groups."""
    files = machine.says(f"find / \\( {NOT_OURS} \\) -prune -o -print")
    return set(files.splitlines()) | set(machine.says("getent passwd; getent group").splitlines())


def install(machine: Machine) -> None:
    machine.run("apt-get install -y --no-install-recommends /packages/*.deb")
    for service in SERVICES:
        machine.wait(f"systemctl is-active {service}")
    check(machine.says("systemctl list-units --failed --plain --no-legend 'mayfly*'") == "", "nothing has failed")
    machine.wait("curl -fs http://127.0.0.1:4719/readyz")


def from_bash_to_the_page(machine: Machine) -> None:
    machine.run("""bash -c 'exec 3<>/dev/tcp/127.0.0.1/4717; printf "LOG demo hello world\\nPING over\\n" >&3; grep -qm1 over <&3'""")
    check("world" in machine.says("mayfly tail demo hello"), "the record is in the segment")
    check("<html" in machine.says("curl -fs http://127.0.0.1:4719/"), "the page is served")
    check('"line":"world"' in machine.says("curl -fs 'http://127.0.0.1:4719/api/v1/logs/demo?last=1'"), "the page's data has the record")
    machine.wait("curl -fs 'http://127.0.0.1:4000/frontend/servers/fresh/api/v1/logs/demo?last=1' | grep -q world")
    machine.run("mayfly log demo hello by-socket && mayfly set web pid 1 && mayfly status")
    health = json.loads(machine.says("mayfly --json status"))
    check(health["ingest_unix"] == "/run/mayfly/ingest.sock" and set(health["pids"]) == {"ingestd", "relayd"}, f"commands find it: {health}")


def users_are_kept_apart(machine: Machine) -> None:
    owners = machine.says(f"stat -c '%U:%G %a' {DATA} /run/mayfly/relay/segments/control /var/lib/mayfly-relay/host.key").splitlines()
    check(owners == ["mayfly-ingest:mayfly 640", "mayfly-relay:mayfly 640", "mayfly-relay:mayfly 600"], str(owners))
    for service in SERVICES:
        check(machine.says(f"ps -o user:20= -p $(systemctl show -P MainPID {service})") == service, f"{service} is its own user")
    for user, file in (("mayfly-relay", DATA), ("mayfly-ingest", "/run/mayfly/relay/segments/control"), ("mayfly-hub", DATA)):
        check(not machine.succeeds(f": >> {file}", user=user), f"{user} must not write {file}")
        check(not machine.succeeds(f"mv {file} {file}.gone", user=user), f"{user} must not move {file}")
    for user in ("mayfly-ingest", "mayfly-hub"):
        check(not machine.succeeds("cat /var/lib/mayfly-relay/host.key", user=user), "the host's key is the relay's alone")
    machine.run("useradd -m ada && useradd -m bob && adduser --quiet ada mayfly")
    check("world" in machine.run("mayfly tail demo hello", user="ada").stdout, "the group may read")
    refused = machine.run("mayfly tail demo hello", user="bob", check=False)
    check(refused.returncode == 1 and "adduser" in refused.stderr, f"others are told who may: {refused.stderr}")


def writers_notice_no(machine: Machine, event: str, command: str) -> None:
    """Connections of writers all through `command`: none is refused, no record is missing."""
    key = event.replace(" ", "-")
    writer = machine.start_in_background(
        f"""i=0; while [ ! -e /tmp/enough ]; do
          exec 3<>/dev/tcp/127.0.0.1/4717 || echo refused; printf 'LOG demo {key} %s\\nPING\\n' $i >&3
          read -r -t 30 a <&3 && read -r -t 30 a <&3 && echo "got $i"; exec 3>&-; i=$((i+1)); done""")
    wait_for("some records before", lambda: machine.succeeds(f"mayfly tail demo {key}") and len(lines(machine, key)) > 20)
    machine.run(command)
    before = len(lines(machine, key))
    wait_for("some records after", lambda: len(lines(machine, key)) > before + 20)
    machine.run("touch /tmp/enough")
    told = writer.communicate(timeout=120)[0].split("\n")
    machine.run("rm /tmp/enough")
    check("refused" not in told, f"no connection is refused by {event}")
    stored = {line["line"] for line in lines(machine, key)}
    missing = [word.split()[1] for word in told if word.startswith("got ") and word.split()[1] not in stored]
    check(not missing, f"confirmed before or after {event}, and gone: {missing}")
    print(f"   {event}: {len(stored)} connections, none refused, none of their records missing")


def restarts(machine: Machine) -> None:
    writers_notice_no(machine, "restart", "systemctl restart mayfly-ingest; systemctl restart mayfly-relay")
    writers_notice_no(machine, "kill", "systemctl kill -s KILL mayfly-ingest; sleep 1")
    old = machine.says("systemctl show -P MainPID mayfly-ingest")
    machine.run("systemctl kill -s STOP mayfly-ingest")
    machine.wait(f"systemctl is-active mayfly-ingest && [ $(systemctl show -P MainPID mayfly-ingest) != {old} ]")
    check("watchdog" in machine.says("journalctl --no-pager -o cat | grep -i watchdog | tail -1").lower(), "one that hangs is replaced")
    machine.run("systemctl stop mayfly-relay && mayfly log demo alone 1 && systemctl is-active mayfly-ingest && systemctl start mayfly-relay")


def upgrade(machine: Machine) -> None:
    before = {key: lines(machine, key) for key in ("hello", "restart", "kill")}
    newer = [with_version(package, NEWER, WORK / "newer") for package in PACKAGES]
    machine.put(newer, "newer")
    epoch = json.loads(machine.says("mayfly --json status"))["epoch"]
    writers_notice_no(machine, "upgrade", "apt-get install -y --no-install-recommends /newer/*.deb")
    check(machine.says("dpkg-query -W -f '${Version}' mayfly") == NEWER, "the newer one is installed")
    check(json.loads(machine.says("mayfly --json status"))["epoch"] > epoch, "the service was restarted")
    check({key: lines(machine, key) for key in before} == before, "an upgrade keeps every record")
    check(machine.says("mayfly get web pid") == "1", "and every status")
    for service in SERVICES:
        machine.wait(f"systemctl is-active {service}")


def ports_off_and_on(machine: Machine) -> None:
    machine.run("systemctl mask --now mayfly-ports.target && systemctl restart mayfly-ingest mayfly-relay")
    ports = machine.says("ss -Hltn | awk '{print $4}'")
    check(ports == "127.0.0.1:4000", f"no TCP port but the hub's: {ports}")
    machine.run("mayfly log demo hello no-ports && curl -fs --unix-socket /run/mayfly/relay.sock http://localhost/readyz")
    machine.run("systemctl unmask mayfly-ports.target && systemctl restart mayfly-ingest mayfly-relay")
    machine.wait("curl -fs http://127.0.0.1:4719/readyz")
    check(machine.says("ss -Hltn | wc -l") == "4", "the ports are back")


def configuration_that_is_wrong(machine: Machine) -> None:
    for service, file in (("mayfly-ingest", "ingestd"), ("mayfly-relay", "relayd"), ("mayfly-hub", "hubd")):
        machine.run(f"mkdir -p /etc/mayfly/{file}.yaml.d && echo 'memroy: 1' > /etc/mayfly/{file}.yaml.d/x.yaml")
        check(not machine.succeeds(f"systemctl restart {service}"), f"{service} refuses")
        check(f"/etc/mayfly/{file}.yaml.d/x.yaml:1:1" in machine.journal(service), "file, line and column are told")
        check(machine.says(f"systemctl show -P Result,ExecMainStatus,NRestarts {service}").split() == ["exit-code", "2", "0"], "failed, visibly")
        check(machine.succeeds(f"systemctl is-failed {service}"), "and stays so")
        # A client knocks: a bounded number of tries, then the socket gives up too.
        port = {"mayfly-ingest": 4717, "mayfly-relay": 4719, "mayfly-hub": 4000}[service]
        machine.run(f"(exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null; sleep 3", check=False)
        tries = machine.journal(service).count("x.yaml:1:1")
        check(tries <= 8, f"{service} does not flap: {tries} tries")
        machine.run(f"rm -r /etc/mayfly/{file}.yaml.d/x.yaml; systemctl reset-failed '{service}*'; systemctl restart {service}")
        machine.wait(f"systemctl is-active {service}")
    machine.wait("curl -fs http://127.0.0.1:4719/readyz && curl -fs http://127.0.0.1:4000/healthz && mayfly log demo hello again")


def another_layout(machine: Machine) -> None:
    machine.run("systemctl stop mayfly-ingest.socket mayfly-ingest-tcp.socket mayfly-redis.socket mayfly-ingest")
    machine.run(f"printf '\\x63' | dd of={DATA} bs=1 seek={LAYOUT_VERSION_OFFSET} conv=notrunc status=none")
    told = machine.run("mayfly tail demo", check=False)
    check(told.returncode == 1 and "layout version 99" in told.stderr, f"readers say so: {told.stderr}")
    machine.run("systemctl restart mayfly-relay")
    ready = machine.says("curl -s http://127.0.0.1:4719/readyz")
    check("layout version 99" in ready, f"so does its neighbour, and serves on: {ready}")
    machine.run("systemctl start mayfly-ingest")
    machine.wait("mayfly log demo hello anew && mayfly tail demo hello | grep -q anew")
    check("layout version 99, this program speaks 1" in machine.journal("mayfly-ingest"), "set aside, with the reason")
    check(machine.succeeds(f"test -s {DATA}.aside"), "and kept")
    check(len(lines(machine, "hello")) == 1, "never misread")


def remove(machine: Machine) -> None:
    machine.run("apt-get remove -y mayfly mayfly-hub")
    check(machine.says("pgrep -l 'ingestd|relayd|hubd' || true") == "", "all processes are gone")
    check(machine.says("ss -Hltn | wc -l") == "0" and not machine.succeeds("ls /run/mayfly/*.sock"), "all sockets are gone")
    check(machine.succeeds(f"test -s {DATA} && test -e /etc/mayfly/ingestd.yaml"), "records and configuration stay until the purge")


def purge(machine: Machine, before: set[str]) -> None:
    machine.run("apt-get purge -y mayfly mayfly-hub && apt-get autoremove -y --purge && systemctl daemon-reload")
    machine.run("userdel -r ada; userdel -r bob", check=False)
    left = {name for name in everything_there(machine) - before if "mayfly" in name or name.startswith(("/etc/systemd", "/var/lib/systemd/deb"))}
    check(not left, f"purge leaves: {sorted(left)}")


def main() -> None:
    check(PACKAGES, "no packages in build/deb")
    machine = Machine(PACKAGES)
    machine.fetch_dependencies()
    with machine:
        before = everything_there(machine)
        steps: list[Callable[[Machine], None]] = [install, from_bash_to_the_page, users_are_kept_apart, restarts, upgrade, ports_off_and_on,
                                                  configuration_that_is_wrong, another_layout, remove]
        for step in [*steps, lambda here: purge(here, before)]:
            name = step.__name__.replace("_", " ").replace("<lambda>", "purge")
            try:
                step(machine)
            except AssertionError:
                print(f"FAILED: {name}\n{machine.journal()[-6000:]}", flush=True)
                raise
            print(f"ok: {name}", flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    try:
        main()
    finally:
        remove_traces()
