"""The page in a real browser: what it shows, live; that nothing stored runs in it; and what it does under load."""

import os
import signal
import sys
import time
import unittest

import page_case
from harness import Stack
from hub_process import free_port
from page_case import PATIENT, PageCase

ESCAPE, ENTER = "\ue00c", "\ue007"


class Views(PageCase):
    def test_the_overview_leads_to_a_log(self) -> None:
        self.log("demo", "k", "hello there")
        self.show()
        self.page.wait_text("demo", ".card")
        shown = self.page.run("return [...document.querySelectorAll('.card h3')].map((head) => head.textContent)")
        self.assertEqual(shown, ["demo", "fast", "short", "fading", "web"])
        bars = self.page.run("return [...document.querySelector('.card').querySelectorAll('.bar-name')].map((name) => name.textContent)")
        self.assertEqual(bars, ["keys", "bytes", "events"])
        self.page.wait("the chart", "return document.querySelector('.chart canvas')?.width > 0")
        self.page.click(".card")
        self.wait_line("hello there")
        self.assert_no_complaints()

    def test_a_log_is_live(self) -> None:
        self.log("demo", "k", *(f"before {i}" for i in range(5)))
        self.show("log/demo")
        self.wait_line("before 4")
        self.log("demo", "k", "after 0", "after 1")
        self.wait_line("after 1")
        self.assertEqual(self.lines()[-3:], ["before 4", "after 0", "after 1"])
        counts = self.counts()
        self.assertEqual(counts["received"], counts["shown"] + counts["dropped"])
        self.assertEqual(counts["missed"], 0)
        self.assert_no_complaints()

    def test_filter(self) -> None:
        self.show("log/demo")
        self.log("demo", "a", "apple pie", "plum cake")
        self.wait_line("plum cake")
        self.page.press("/")
        self.page.type(".filter-input", "ap+le|cherry")
        self.page.wait("one line", f"return {page_case.ROWS}.length === 1 && {page_case.ROWS}[0].textContent.includes('apple pie')")
        self.log("demo", "a", "plum tart", "cherry tart")
        self.wait_line("cherry tart")
        self.assertEqual(self.lines(), ["apple pie", "cherry tart"])
        self.page.type(".filter-input", "(")
        self.page.wait_text("missing )", ".problem")
        self.page.press(ESCAPE)  # out of the field
        self.page.press(ESCAPE)  # clears the filter
        self.wait_line("plum tart")
        self.page.wait("no problem", "return document.querySelector('.problem').hidden")

    def test_key_chooser(self) -> None:
        self.log("demo", "first", "of the first")
        self.log("demo", "second", "of the second")
        self.show("log/demo")
        self.page.press("c")
        self.page.wait("the keys", "return [...document.querySelectorAll('datalist option')].some((one) => one.value === 'second')")
        self.page.type(".key-input", "second")
        self.page.wait("only that key", f"return {page_case.ROWS}.length > 0 && {page_case.ROWS}.every((row) => row.querySelector('.key').textContent === 'second')")
        self.log("demo", "first", "more of the first")
        self.log("demo", "second", "more of the second")
        self.wait_line("more of the second")
        self.assertNotIn("more of the first", self.lines())

    def test_pause_and_details(self) -> None:
        self.show("log/demo")
        self.log("demo", "k", "stands still")
        self.wait_line("stands still")
        self.page.click("button.follow")
        self.wait_state("paused")
        self.log("demo", "k", "comes later")
        self.page.wait_text("paused · 1 new", ".state")
        self.assertNotIn("comes later", self.lines())
        self.page.run(f"{page_case.ROWS}.find((row) => row.textContent.includes('stands still')).click()")
        self.page.wait_text("stands still", ".details")
        self.page.press(ESCAPE)
        self.page.wait("no details", "return document.querySelector('.details').hidden")
        self.page.press("f")
        self.wait_line("comes later")

    def test_jump_to_time(self) -> None:
        self.log("demo", "k", "a while ago")
        self.show("log/demo")
        self.page.press("t")
        self.page.wait("the dialog", "return document.querySelector('dialog[open]')")
        self.page.click("dialog .chips button")
        self.wait_state("past")
        self.wait_line("a while ago")
        self.log("demo", "k", "just now")
        self.page.press("f")
        self.wait_state("live")
        self.wait_line("just now")

    def test_a_status_changes(self) -> None:
        self.set("web", "load", "1")
        self.show("status/web")
        self.page.wait_text("load", ".status-list .key")
        for value in range(2, 6):
            self.set("web", "load", str(value))
            self.page.wait_text(str(value), ".status-list .value")
        points = self.page.run("return document.querySelector('.spark-line').getAttribute('points').split(' ').length")
        self.assertGreaterEqual(points, 2)
        self.set("web", "name", "not a number")
        self.page.wait_text("not a number", ".status-list .value")
        self.page.press("j", ENTER)
        self.page.wait_text("load", ".details")
        self.page.wait("a chart", "return document.querySelector('.details canvas')?.width > 0")
        self.stack.send(b"UNSET web name")
        self.page.wait("the key to go", "return document.querySelectorAll('.status-list .row').length === 1")
        self.assert_no_complaints()

    def test_a_status_fades(self) -> None:
        self.set("fading", "light", "on")
        self.show("status/fading")
        self.page.wait_text("stale", ".status-list .age")
        self.set("fading", "light", "on again")
        self.page.wait("fresh", "return document.querySelector('.status-list .row:not(.stale)')")

    def test_keyboard_help_and_theme(self) -> None:
        self.show()
        self.page.press("?")
        self.page.wait_text("jump to time", "dialog[open]")
        self.page.press(ESCAPE)
        self.page.wait("no dialog", "return document.querySelector('dialog') === null")
        ground = "return getComputedStyle(document.body).backgroundColor"
        self.page.press("d")
        dark = self.page.run(ground)
        self.page.press("d")
        self.assertNotEqual(self.page.run(ground), dark)
        self.page.press("]")
        self.page.wait("the first directory", "return location.hash === '#/log/demo'")
        self.page.press("o")
        self.page.wait("the overview", "return document.querySelector('.overview')")

    def test_phone_width(self) -> None:
        self.log("demo", "k", "a line that is rather long " * 20)
        self.page.resize(390, 844, 1, True)
        self.addCleanup(self.page.devtools, "Emulation.clearDeviceMetricsOverride")
        for view in ("", "log/demo", "status/web"):
            self.show(view)
            self.page.wait("the view", "return document.querySelector('.view .bar')")
            self.assertLessEqual(self.page.run("return document.documentElement.scrollWidth"), 390, view)


class Losses(PageCase):
    def test_gaps_are_exact(self) -> None:
        self.show("log/short")
        self.log("short", "k", "line 1")
        self.wait_line("line 1")
        relay = self.stack.pid("relayd")
        os.kill(relay, signal.SIGSTOP)
        try:
            self.log("short", "k", *(f"line {i}" for i in range(2, 52)))
        finally:
            os.kill(relay, signal.SIGCONT)
        self.wait_line("line 51")
        self.wait_mark("40 lines missed")
        self.assertEqual(self.counts()["missed"], 40)
        self.assertEqual(self.lines()[-10:], [f"line {i}" for i in range(42, 52)])

    def test_drops_leave_a_mark(self) -> None:
        self.show("log/short")
        self.page.wait("the head", "return document.querySelector('.view-head .bar')")
        self.log("short", "k", "fits", "x" * 100, "y" * 100)
        self.wait_line("fits")
        self.wait_mark("2 value too long")
        self.page.wait_text("value too long 2", ".view-head")

    def test_a_relay_that_dies_loses_nothing(self) -> None:
        self.show("log/demo")
        self.log("demo", "life", "first")
        self.wait_line("first")
        os.kill(self.stack.pid("relayd"), signal.SIGKILL)
        self.stack.wait_event("started", program="relayd")
        self.log("demo", "life", "second", "third")
        self.wait_line("third")
        self.wait_mark("connected again")
        self.assertEqual(self.lines()[-3:], ["first", "second", "third"])
        self.assertEqual(self.counts()["missed"], 0)


class AwayAndBack(PageCase):
    """The host's port stays, so that a page can find it again."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.restart("--relay-port", str(free_port()))

    @classmethod
    def restart(cls, *flags: str) -> None:
        """The same data, another life."""
        cls.stack.keep = True
        cls.stack.__exit__()
        cls.flags = flags or cls.flags
        directory = cls.stack.runtime_dir
        cls.stack = Stack(*PATIENT, *cls.hub_flags, *cls.flags, runtime_dir=directory)
        cls.stack.wait_ready()

    def test_it_is_said_and_the_log_goes_on(self) -> None:
        self.show("log/demo")
        self.log("demo", "k", "before")
        self.wait_line("before")
        self.stack.stop()
        self.wait_state("waiting")
        self.page.wait_text("does not answer", ".banner")
        self.wait_mark("connection lost")
        self.restart()
        self.log("demo", "k", "after")
        self.wait_line("after")
        self.wait_mark("connected again")
        self.page.wait("no banner", "return document.querySelector('.banner').hidden")
        self.assertEqual([line for line in self.lines() if line in ("before", "after")], ["before", "after"])


HOSTILE = ["<script>window.hacked = 1</script>", "<img src=x onerror=\"window.hacked = 1\">", "<svg/onload=window.hacked=1>",
           "javascript:window.hacked=1", "{{constructor.constructor('window.hacked=1')()}}", "</pre></div><h1>big</h1>",
           "&lt;b&gt; stays as it is &amp;", "'\"><a href=//evil.example>x</a>"]
BIDI = "user \u202e\u2066gnp.exe\u2069 end"


class Hostile(PageCase):
    def assert_nothing_ran(self) -> None:
        self.assertIsNone(self.page.run("return window.hacked ?? null"))
        self.assertEqual(self.page.run("return document.querySelectorAll('main script, main img, main a[href*=evil], main h1 + h1').length"), 0)
        self.assert_no_complaints()

    def test_lines_are_text(self) -> None:
        self.log("demo", "<b>key</b>", *HOSTILE, BIDI)
        self.show("log/demo")
        self.page.wait("the lines", f"return {page_case.ROWS}.length >= arguments[0]", len(HOSTILE) + 1)
        self.assertEqual(self.lines()[-len(HOSTILE) - 1:-1], HOSTILE)
        self.assertEqual(self.lines()[-1], "user U+202EU+2066gnp.exeU+2069 end")
        self.assertEqual(self.page.run(f"return {page_case.ROWS}.at(-1).querySelector('.key').textContent"), "<b>key</b>")
        for index in range(len(HOSTILE)):
            self.page.run(f"{page_case.ROWS}.at(arguments[0]).click()", index - len(HOSTILE) - 1)
            self.page.wait_text(HOSTILE[index], ".details-text")
        self.assert_nothing_ran()

    def test_statuses_are_text(self) -> None:
        for index, text in enumerate(HOSTILE):
            self.set("web", f"<i>{index}</i>", text)
        self.show("status/web")
        self.page.wait("the values", "return document.querySelectorAll('.status-list .row').length >= arguments[0]", len(HOSTILE))
        self.assertEqual(self.page.run("return [...document.querySelectorAll('.status-list .value')].map((value) => value.textContent)"), HOSTILE)
        self.page.press("j", ENTER)
        self.page.wait_text(HOSTILE[0], ".details-text")
        self.assert_nothing_ran()

    def test_terminal_colours_are_classes(self) -> None:
        self.log("demo", "ansi", "\x1b[1;31mred\x1b[0m plain \x1b[38;5;196mcube\x1b[38;2;1;2;3mtrue\x1b[m \x1b]0;title\x07\x1b[2Jtail\x07")
        self.show("log/demo")
        self.page.wait("the line", f"return {page_case.ROWS}.at(-1).querySelector('.ansi-fg-1')")
        self.assertEqual(self.lines()[-1], "red plain cubetrue tail␇")
        spans = self.page.run(f"return [...{page_case.ROWS}.at(-1).querySelectorAll('.text > span:not(.control)')].map((span) => [span.className, span.style.color])")
        self.assertEqual(spans, [["ansi-bold ansi-fg-1", ""], ["", "rgb(255, 0, 0)"], ["", "rgb(1, 2, 3)"]])
        self.assert_nothing_ran()

    def test_bytes_that_are_no_text(self) -> None:
        self.stack.send(b"LOG demo \xff\xfe caf\xc3\xa9 \xff")
        self.show("log/demo")
        self.page.wait_text("café \\xff", ".log-list .text")
        self.page.run(f"{page_case.ROWS}.find((row) => row.textContent.includes('café')).click()")
        self.page.wait_text("Only this key", ".details")
        self.page.run("[...document.querySelectorAll('.details button')].find((one) => one.textContent === 'Only this key').click()")
        self.page.wait("only that key", f"return {page_case.ROWS}.length === 1")
        self.assert_nothing_ran()

    def test_the_policy_is_in_force(self) -> None:
        """What a script in the page's place could do: nothing."""
        self.show()
        self.page.run("""
            const inline = document.createElement('script');
            inline.textContent = 'window.hacked = 1';
            const handler = document.createElement('img');
            handler.setAttribute('onerror', 'window.hacked = 1');
            handler.src = '/none.png';
            document.body.append(inline, handler);""")
        reached = self.page.run_async("try { await fetch('http://127.0.0.1:9/'); return true; } catch { return false; }")
        self.assertFalse(reached)
        self.page.wait("the violations", "return true")
        violations = [message["message"] for message in self.page.console() if "Content Security Policy" in message["message"]]
        self.assertGreaterEqual(len(violations), 3, violations)
        self.assertIsNone(self.page.run("return window.hacked ?? null"))


class Parts(PageCase):
    """Scripts of the page by themselves."""

    def call(self, script: str, body: str) -> object:
        address = self.page.run("return document.querySelector('script[type=module]').src.replace('app.js', '')")
        return self.page.run_async(f"const it = await import('{address}{script}'); {body}")

    def setUp(self) -> None:
        self.show()

    def test_events_come_in_any_pieces(self) -> None:
        text = "retry: 1000\n\n: comment\n\nid: 7\nevent: record\ndata: {\"a\":1}\n\nevent: gap\r\ndata: 1\r\ndata: 2\r\n\r\ndata: late"
        whole = self.call("sse.js", f"return new it.EventParser().push({text!r});")
        single = self.call("sse.js", f"const parser = new it.EventParser(); return [...{text!r}].flatMap((one) => parser.push(one));")
        self.assertEqual(whole, single)
        self.assertEqual([(one["type"], one["data"], one["id"]) for one in whole], [("record", '{"a":1}', "7"), ("gap", "1\n2", None)])

    def test_huge_events_are_not_kept(self) -> None:
        event = self.call("sse.js", "const parser = new it.EventParser(); parser.push('data: {\"seq\":5,');"
                                    "for (let i = 0; i < 64; ++i) parser.push('x'.repeat(65536));"
                                    "return parser.push('\\n\\n')[0];")
        self.assertGreater(event["huge"], 4 << 20)
        self.assertLess(len(event["data"]), 5000)

    def test_the_ring_is_bounded(self) -> None:
        counts = self.call("log_ring.js", """
            const ring = new it.LogRing();
            for (let seq = 1; seq <= 20000; ++seq) ring.addLine({seq, time: '', key: 'k', line: String(seq)});
            const many = [ring.shown, ring.dropped, ring.received, ring.at(0).seq, ring.at(ring.length - 1).seq];
            for (let seq = 0; seq < 600; ++seq) ring.addLine({seq, time: '', key: 'k', line: 'x'.repeat(1 << 20)});
            return [many, ring.shown < 300, ring.received === ring.shown + ring.dropped, ring.at(0).cut];""")
        self.assertEqual(counts, [[5000, 15000, 20000, 15001, 20000], True, True, (1 << 20) - (32 << 10)])

    def test_numbers_stay_exact(self) -> None:
        shown = self.call("format.js", "return [it.exact('18446744073709551615'), it.short(12345), it.bytes(1536), it.age(61000), it.age(7.3e6)];")
        self.assertEqual(shown, ["18,446,744,073,709,551,615", "12.3k", "1.5 KiB", "61 s", "2 h"])


class Load(PageCase):
    """Ten thousand lines a second. MAYFLY_PAGE_SECONDS: how long; MAYFLY_PAGE_LIMITS=1: figures must be good."""

    seconds = float(os.environ.get("MAYFLY_PAGE_SECONDS", "3"))
    must_be_good = os.environ.get("MAYFLY_PAGE_LIMITS") == "1"

    def flood(self, total: int, rate: int) -> None:
        """Lines as an application writes them, a hundred at a time, in step with the clock."""
        begin = time.monotonic()
        with self.stack.connect() as connection:
            for first in range(0, total, 100):
                connection.sendall(b"".join(b"LOG fast worker-%d \x1b[3%dmline\x1b[0m %d of a service that has a lot to say for itself\n"
                                            % (i % 10, i % 8, i) for i in range(first, min(first + 100, total))))
                time.sleep(max(0.0, begin + (first + 100) / rate - time.monotonic()))
            self.stack.barrier(connection)

    def test_a_flood(self) -> None:
        rate = 10_000
        total = int(rate * self.seconds)
        self.show("log/fast")
        self.page.run("""
            const times = window.frameTimes = [];
            const note = (now) => { times.push(now); requestAnimationFrame(note); };
            requestAnimationFrame(note);""")
        self.flood(total, rate)
        self.page.wait("all lines", "const counts = document.querySelector('.counts').dataset; return Number(counts.received) + Number(counts.missed) >= arguments[0]", total)
        times = self.page.run("return window.frameTimes")
        heap = self.page.heap_bytes()
        counts = self.counts()
        intervals = sorted(after - before for before, after in zip(times, times[1:]))
        p50, p95, worst = intervals[len(intervals) // 2], intervals[int(len(intervals) * 0.95)], intervals[-1]
        print(f"page under load: {total} lines in about {self.seconds:g} s: shown {counts['shown']} + dropped for display {counts['dropped']} "
              f"+ missed {counts['missed']} = {counts['shown'] + counts['dropped'] + counts['missed']}; {len(intervals)} frames, intervals "
              f"p50 {p50:.1f} ms, p95 {p95:.1f} ms, worst {worst:.1f} ms; JS heap after collection {heap / 2**20:.1f} MiB", flush=True)
        self.assertEqual(counts["shown"] + counts["dropped"], counts["received"])
        self.assertEqual(counts["received"] + counts["missed"], total)
        self.assertLessEqual(counts["shown"], 5000)
        if self.must_be_good:
            self.assertEqual(counts["missed"], 0)
            self.assertLessEqual(p95, 50)
            self.assertLessEqual(heap, 64 << 20)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
