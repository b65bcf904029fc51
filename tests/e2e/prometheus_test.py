"""Debian's Prometheus scrapes for real; promtool has nothing to complain of."""

import sys
import unittest

import prometheus_process
import reading
from fleet import Fleet
from harness import wait_for
from hub_case import WithHub, entry
from prometheus_process import Prometheus, check_metrics
from visitor import add_key

# Prometheus asks with this; its q-values lead to OpenMetrics.
OPEN_METRICS = ("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
                "text/plain;version=0.0.4;q=0.5,*/*;q=0.1")
ODD_KEYS = {'a "quoted" one': "1", "back\\slash": "2.5", "caf\u00e9": "-3", "tab\there": "4e3", "{brace=}": "5", "#": "6"}


class Scrape(WithHub):
    def setUp(self) -> None:
        self.start(entry("demo") + entry("web", "status") + entry("fading", "status", stale_after="2s"))
        self.relay = self.stack.ready["relay"]

    def scrape_config(self) -> str:
        return f"  - {{job_name: host, static_configs: [{{targets: ['{self.relay.removeprefix('http://')}']}}]}}\n"

    def set(self, directory: str, key: str, value: str) -> None:
        """By arguments of a length each: the key may hold anything."""
        parts = [b"STATUS", directory.encode(), key.encode(), value.encode()]
        message = b"*4\r\n" + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
        with self.stack.connect() as connection:
            connection.sendall(message)
            self.stack.barrier(connection)

    def test_values_arrive_as_they_were_written(self) -> None:
        for key, value in ODD_KEYS.items():
            self.set("web", key, value)
        self.set("web", "a\nline end", "7")
        self.set("web", "not a number", "seven")
        self.stack.send(b"LOG demo k one", b"LOG demo k two", b"LOG nowhere k three")
        with Prometheus(self.scrape_config()) as prometheus:
            prometheus.wait_up(1)
            prometheus.wait_value('sum(mayfly_records_stored_total{kind="log",directory="demo"})', 2)
            found = {labels["key"]: value for labels, value in prometheus.query('mayfly_status{directory="web"}')}
            self.assertEqual(found, {key: float(value) for key, value in ODD_KEYS.items()} | {"a\nline end": 7.0})
            prometheus.wait_value('count(mayfly_status_last_write_timestamp_seconds{directory="web"})', len(ODD_KEYS) + 2)
            prometheus.wait_value('mayfly_records_dropped_total{directory="",cause="unknown_directory"}', 1)
            prometheus.wait_value('mayfly_directory_records{kind="log",directory="demo"}', 2)
            kinds = {name: entries[0] for name, entries in prometheus.api("metadata").items()}
            self.assertEqual(kinds["mayfly_records_stored"]["type"], "counter")  # OpenMetrics' name of it
            self.assertEqual(kinds["mayfly_status"]["type"], "gauge")
            self.set("web", "#", "60")
            prometheus.wait_value('mayfly_status{directory="web",key="#"}', 60)

    def test_a_stale_status_leaves_the_scrape_alone(self) -> None:
        self.set("fading", "light", "1")
        with Prometheus(self.scrape_config()) as prometheus:
            prometheus.wait_value('mayfly_status_stale_keys{directory="fading"}', 1)
            self.assertEqual(prometheus.query('{__name__=~"mayfly_status|mayfly_status_last_write.*",directory="fading"}'), [])
        keys = reading.get(self.relay, "/api/v1/status/fading").json()["keys"]
        self.assertEqual([(one["key"], one["value"], one["stale"]) for one in keys], [("light", "1", True)])
        self.assertEqual(reading.get(self.relay, "/api/v1/status/fading/light").body, b"1")

    def test_promtool_is_content(self) -> None:
        for key, value in ODD_KEYS.items():
            self.set("web", key, value)
        answer = reading.get(self.relay, "/metrics")
        self.assertEqual(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8")
        self.assertEqual(check_metrics(answer.body), "")
        open_metrics = reading.get(self.relay, "/metrics", {"Accept": OPEN_METRICS})
        self.assertEqual(open_metrics.headers["content-type"], "application/openmetrics-text; version=1.0.0; charset=utf-8")
        self.assertTrue(open_metrics.body.endswith(b"\n# EOF\n"))
        self.assertEqual(open_metrics.body.count(b"# EOF"), 1)

    def test_each_family_is_declared_once(self) -> None:
        self.set("web", "load", "1")
        for accept in ("text/plain", OPEN_METRICS):
            lines = reading.get(self.relay, "/metrics", {"Accept": accept}).body.decode().splitlines()
            for word in ("# HELP ", "# TYPE "):
                names = [line.split()[2] for line in lines if line.startswith(word)]
                self.assertEqual(len(names), len(set(names)), names)
            samples = [line.rsplit(" ", 1)[0] for line in lines if not line.startswith("#")]
            self.assertEqual(len(samples), len(set(samples)))


class ThroughTheHub(unittest.TestCase):
    def setUp(self) -> None:
        self.fleet = Fleet(entry("demo") + entry("app-web", "status") + entry("system", "status"), ["alpha", "beta"])
        self.addCleanup(self.fleet.close)
        self.fleet.__enter__()
        for number, host in enumerate(self.fleet.hosts.values(), 1):
            host.send(f"STATUS app-web load {number}".encode(), f"STATUS system secret {number}".encode())
        self.hub = self.fleet.hub.url.removeprefix("http://")

    def key(self, *rights: str) -> str:
        key = add_key(self.fleet.hub.file, "prometheus", *rights)
        wait_for("the key to count", lambda: reading.get(self.fleet.hub.url, "/scraper/api/test", self.bearer(key)).status == 200)
        return key

    @staticmethod
    def bearer(key: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {key}"}

    def test_one_scrape_for_all_hosts(self) -> None:
        key = self.key("*:")
        with Prometheus("  - job_name: fleet\n    metrics_path: /scraper/v1/metrics\n"
                        f"    authorization: {{credentials: '{key}'}}\n    honor_labels: true\n"
                        f"    static_configs: [{{targets: ['{self.hub}']}}]\n") as prometheus:
            prometheus.wait_up(1)
            for number, name in enumerate(self.fleet.hosts, 1):
                prometheus.wait_value(f'mayfly_host_up{{server="{name}"}}', 1)
                prometheus.wait_value(f'mayfly_status{{server="{name}",directory="app-web",key="load"}}', number)
            self.fleet.hosts["beta"].stop()
            prometheus.wait_value('mayfly_host_up{server="beta"}', 0)
            prometheus.wait_value('mayfly_status{server="alpha",directory="app-web"}', 1)
        text = reading.get(self.fleet.hub.url, "/scraper/v1/metrics", self.bearer(key)).body
        self.assertEqual(check_metrics(text), "")

    def test_each_host_is_discovered_as_a_target(self) -> None:
        key = self.key("*:")
        with Prometheus("  - job_name: hosts\n"
                        f"    authorization: {{credentials: '{key}'}}\n    http_sd_configs:\n"
                        f"      - {{url: 'http://{self.hub}/scraper/v1/http_sd', refresh_interval: 1s, authorization: {{type: Bearer, credentials: '{key}'}}}}\n"
                        "    relabel_configs: [{source_labels: [server], target_label: instance}]\n") as prometheus:
            prometheus.wait_value('mayfly_status{instance="alpha",directory="app-web",key="load"}', 1)
            prometheus.wait_value('mayfly_status{instance="beta",directory="app-web",key="load"}', 2)
            prometheus.wait_value('sum(up{job="hosts"})', 2)
            prometheus.wait_value('count(up{job="hosts"})', 3)  # one is in the hub's file, and was never seen

    def test_a_key_scrapes_what_it_may_read(self) -> None:
        key = self.key("beta:app-")
        lines = reading.get(self.fleet.hub.url, "/scraper/v1/metrics", self.bearer(key)).body.decode()
        self.assertIn('mayfly_status{server="beta",directory="app-web",key="load"} 2', lines)
        self.assertNotIn("alpha", lines)
        self.assertNotIn("system", lines)
        self.assertEqual(reading.get(self.fleet.hub.url, "/scraper/v1/metrics").status, 401)


if __name__ == "__main__":
    if not prometheus_process.is_there():
        sys.exit("prometheus and promtool are not installed (package prometheus)")
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
