"""Redis's own tools and client libraries write to the second listener."""

import os
import pathlib
import subprocess
import sys
import unittest

import redis

import reading
from harness import BIN, DEADLINE_S, Stack

# Built beside the programs where libhiredis is there.
HIREDIS_CLIENT = pathlib.Path(os.environ.get("MAYFLY_TESTS", BIN.parent / "tests")) / "hiredis_client"
PIPELINE = 64  # commands that redis-benchmark sends at once


def encode(*arguments: bytes) -> bytes:
    """A RESP2 array of bulk strings."""
    return b"*%d\r\n" % len(arguments) + b"".join(b"$%d\r\n%s\r\n" % (len(one), one) for one in arguments)


class WithStack(unittest.TestCase):
    def setUp(self) -> None:
        self.stack = Stack()
        self.stack.__enter__()
        self.addCleanup(self.stack.__exit__)
        self.port = str(self.stack.port("redis"))

    def run_tool(self, *command: str, **options) -> subprocess.CompletedProcess:
        options.setdefault("timeout", DEADLINE_S)
        if "input" not in options:
            options.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run([command[0], "-p", self.port, *command[1:]], capture_output=True, check=False, **options)

    def cli(self, *arguments: str, **options) -> bytes:
        result = self.run_tool("redis-cli", *arguments, **options)
        self.assertEqual((result.returncode, result.stderr), (0, b""), result.stdout)
        return result.stdout.rstrip(b"\n")

    def value(self, key: str) -> bytes:
        return self.stack.mayfly("get", "web", key).stdout

    def lines(self, directory: str) -> list[tuple[str, str]]:
        answer = reading.get(self.stack.ready["relay"], f"/api/v1/logs/{directory}")
        return [(one["key"], one["line"]) for one in answer.lines()]


class RedisCli(WithStack):
    def test_one_command_each(self) -> None:
        self.assertEqual(self.cli("HSET", "web", "pid", "123"), b"1")
        self.assertEqual(self.value("pid"), b"123")
        self.assertEqual(self.cli("HSET", "web", "a", "1", "b", "2 3"), b"2")
        self.assertEqual(self.cli("HDEL", "web", "a", "never"), b"1")
        self.assertEqual(self.stack.mayfly("get", "web", "a").returncode, 1)
        self.assertRegex(self.cli("XADD", "weblog", "*", "line", "a b"), rb"^\d{13}-\d+$")
        self.assertRegex(self.cli("XADD", "weblog", "MAXLEN", "~", "100", "*", "line", "c", "other", "d"),
                         rb"^\d{13}-\d+$")
        self.assertEqual(self.lines("weblog"), [("line", "a b"), ("line", "c"), ("other", "d")])

    def test_both_kinds_under_one_name(self) -> None:
        self.assertEqual(self.cli("HSET", "web", "pid", "123"), b"1")
        self.assertRegex(self.cli("XADD", "web", "*", "line", "a b"), rb"^\d{13}-\d+$")
        self.assertEqual(self.value("pid"), b"123")
        self.assertEqual(self.lines("web"), [("line", "a b")])

    def test_what_a_terminal_session_sends(self) -> None:
        """Commands by standard input, among them those that redis-cli sends by itself when it connects."""
        script = b"COMMAND DOCS\nCOMMAND\nPING\nSELECT 0\nHSET web by stdin\nINFO\nCONFIG GET save\nHELLO 2\nECHO end\n"
        shown = self.cli(input=script)
        self.assertIn(b"PONG", shown)
        self.assertNotIn(b"ERR", shown)
        self.assertEqual(shown.splitlines()[-1], b"end")
        self.assertEqual(self.value("by"), b"stdin")
        self.assertEqual(self.cli("-3", "HSET", "web", "by", "resp3"), b"1")
        self.assertEqual(self.value("by"), b"resp3")

    def test_on_a_terminal(self) -> None:
        """As a person has it: with a prompt, hints fetched by COMMAND DOCS, and an end by QUIT."""
        command = ["script", "-qec", f"redis-cli -p {self.port}", "/dev/null"]
        session = subprocess.run(command, input=b"HSET web by terminal\nQUIT\n", capture_output=True, check=False,
                                 timeout=DEADLINE_S, env=dict(os.environ, TERM="dumb"))
        self.assertEqual(session.returncode, 0, session.stdout)
        self.assertIn(b"(integer) 1", session.stdout)
        self.assertEqual(self.value("by"), b"terminal")

    def test_what_is_refused(self) -> None:
        for arguments, words in ((["SET", "a", "b"], b"ERR use HSET dir key value"),
                                 (["GET", "a"], b"ERR write-only, read through the relay"),
                                 (["HGETALL", "web"], b"ERR write-only, read through the relay"),
                                 (["XRANGE", "web", "-", "+"], b"ERR write-only, read through the relay"),
                                 (["FLY", "me"], b"ERR unknown command 'FLY', with args beginning with: 'me'"),
                                 (["HSET", "web", "k" * 2000, "v"], b"QUOTA key_too_long"),
                                 (["HSET", "no/such", "k", "v"], b"QUOTA unknown_directory")):
            self.assertTrue(self.cli(*arguments).startswith(words), arguments)
        state = reading.directories(self.stack)
        self.assertEqual(reading.stored(state), 0)
        self.assertEqual({cause: count for cause, count in reading.dropped(state).items() if cause != "bad_command"},
                         {"key_too_long": 1, "unknown_directory": 1})

    def test_mass_insertion(self) -> None:
        count = 20_000
        data = b"".join(encode(b"HSET", b"web", b"k%d" % (i % 500), b"%d" % i) if i % 2 else
                        encode(b"XADD", b"weblog", b"*", b"line", b"%d" % i) for i in range(count))
        data += encode(b"HSET", b"web", b"k" * 2000, b"v")
        result = self.run_tool("redis-cli", "--pipe", input=data)
        self.assertEqual(result.returncode, 1, result.stdout)  # for the one that a quota forbids
        self.assertIn(b"errors: 1, replies: %d" % (count + 1), result.stdout)
        state = reading.directories(self.stack)
        self.assertEqual((reading.stored(state), reading.dropped(state)), (count, {"key_too_long": 1}))
        self.assertEqual(reading.imbalances(state), [])


class RedisBenchmark(WithStack):
    def benchmark(self, count: int, *arguments: str) -> int:
        """Returns what it has sent: whole pipelines."""
        result = self.run_tool("redis-benchmark", "-q", "-P", str(PIPELINE), "-n", str(count), *arguments, timeout=600)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertEqual(result.stderr, b"")
        print(result.stdout.replace(b"\r", b"\n").split(b"\n")[-2].decode().strip(), file=sys.stderr)
        return -(-count // PIPELINE) * PIPELINE

    def test_hset(self) -> None:
        count = int(os.environ.get("MAYFLY_REDIS_BENCHMARK", 100_000))
        sent = self.benchmark(count, "-r", "1000", "HSET", "web", "k:__rand_int__", "v")
        state = reading.wait_taken_in(self.stack, sent)
        self.assertEqual(reading.taken_in(state), sent)
        self.assertEqual((reading.stored(state), reading.dropped(state)), (sent, {}))
        web = reading.find(state, "web", "status")
        self.assertEqual((web["keys"], web["evicted"]), (1000, {}))
        self.assertEqual(reading.imbalances(state), [])

    def test_with_evictions_and_drops(self) -> None:
        sent = self.benchmark(20_000, "-r", "5000", "HSET", "web", "k:__rand_int__", "v")
        sent += self.benchmark(20_000, "-r", "1000", "XADD", "weblog", "*", "k:__rand_int__", "v" * 1000)
        state = reading.wait_taken_in(self.stack, sent)
        self.assertGreater(reading.find(state, "web", "status")["evicted"]["keys"], 0)
        self.assertGreater(reading.find(state, "weblog")["evicted"]["total_bytes"], 0)
        self.assertEqual((reading.stored(state), reading.dropped(state)), (sent, {}))
        with self.assertRaises(AssertionError):  # it stops at the first error reply
            self.benchmark(1000, "HSET", "web", "k", "v" * 2000)
        self.assertGreater(reading.dropped(reading.directories(self.stack))["value_too_long"], 0)
        self.assertEqual(reading.imbalances(reading.directories(self.stack)), [])


class PythonRedis(WithStack):
    def setUp(self) -> None:
        super().setUp()
        self.client = redis.Redis(port=int(self.port), socket_timeout=DEADLINE_S)
        self.addCleanup(self.client.close)

    def test_hashes_and_streams(self) -> None:
        self.assertTrue(self.client.ping())
        self.assertEqual(self.client.hset("web", mapping={"a": "1", "b": b"\xff\x00\r\n", "c": 3}), 3)
        self.assertEqual([self.value(key) for key in "abc"], [b"1", b"\xff\x00\r\n", b"3"])
        self.assertEqual(self.client.hset("web", "a", "2"), 1)
        self.assertEqual(self.client.hdel("web", "a", "b"), 2)
        first = self.client.xadd("weblog", {"line": "one"}, maxlen=1000)
        second = self.client.xadd("weblog", {"line": "two", "other": "three"}, maxlen=1000, approximate=False)
        self.assertLess(tuple(map(int, first.split(b"-"))), tuple(map(int, second.split(b"-"))))
        self.assertEqual(self.lines("weblog"), [("line", "one"), ("line", "two"), ("other", "three")])

    def test_pipelines(self) -> None:
        for transaction in (True, False):
            with self.client.pipeline(transaction=transaction) as pipeline:
                for i in range(500):
                    pipeline.hset("web", f"k{i}", f"{transaction} {i}")
                    pipeline.xadd("weblog", {"line": f"{transaction} {i}"})
                replies = pipeline.execute()
            self.assertEqual(replies[::2], [1] * 500)
            identifiers = [tuple(map(int, one.split(b"-"))) for one in replies[1::2]]
            self.assertEqual(identifiers, sorted(set(identifiers)))
            self.assertEqual(self.value("k499"), f"{transaction} 499".encode())
        self.assertEqual(self.lines("weblog"),
                         [("line", f"{transaction} {i}") for transaction in (True, False) for i in range(500)])

    def test_a_drop_within_a_pipeline_concerns_nobody_else(self) -> None:
        for transaction in (True, False):
            with self.client.pipeline(transaction=transaction) as pipeline:
                pipeline.hset("web", "before", str(transaction)).hset("web", "k", "v" * 2000)
                pipeline.hset("web", "after", str(transaction))
                before, failed, after = pipeline.execute(raise_on_error=False)
            self.assertEqual((before, after), (1, 1))
            self.assertRegex(str(failed), "^QUOTA value_too_long")
            self.assertEqual(self.value("after"), str(transaction).encode())

    def test_a_discarded_transaction_stores_nothing(self) -> None:
        for command in (("MULTI",), ("HSET", "web", "k", "v"), ("DISCARD",)):
            self.client.execute_command(*command)
        self.assertEqual(reading.stored(reading.directories(self.stack)), 0)

    def test_errors(self) -> None:
        for call, words in ((lambda: self.client.set("a", "b"), "use HSET dir key value"),
                            (lambda: self.client.get("a"), "write-only, read through the relay"),
                            (lambda: self.client.hget("web", "a"), "write-only, read through the relay"),
                            (lambda: self.client.execute_command("FLY"), "unknown command 'FLY'"),
                            (lambda: self.client.hset("web", "k" * 2000, "v"), "QUOTA key_too_long"),
                            (lambda: self.client.xadd("weblog", {"k": "v" * 2000}), "QUOTA value_too_long")):
            with self.assertRaisesRegex(redis.ResponseError, words):
                call()
        self.assertTrue(self.client.ping())


class Hiredis(WithStack):
    @unittest.skipUnless(HIREDIS_CLIENT.exists(), "built without libhiredis")
    def test_sync_and_pipelined(self) -> None:
        count = 5000
        result = subprocess.run([HIREDIS_CLIENT, self.port, str(count)], capture_output=True, text=True, check=False,
                                timeout=DEADLINE_S)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        sent, drops = map(int, result.stdout.split())
        self.assertEqual(drops, 1)
        state = reading.directories(self.stack)
        self.assertEqual((reading.stored(state), reading.taken_in(state)), (sent - 1, sent))
        self.assertEqual(reading.dropped(state)["value_too_long"], 1)
        self.assertEqual(self.value("from"), b"hi\0redis")
        self.assertEqual([line for _, line in self.lines("weblog")][-1], str(count - 1))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
