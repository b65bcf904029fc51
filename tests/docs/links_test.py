"""The pages point at what exists: files, headings, and paths named in the prose."""

import pathlib
import re
import sys
import unittest

import pages

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
FOLDERS = ("shm", "common", "ingestd", "relayd", "hubd", "supervisor", "cli", "tests", "bench", "packaging", "docs")


class Links(unittest.TestCase):
    def test_links_lead_somewhere(self) -> None:
        checked = 0
        for page in PAGES:
            for link in pages.links(page):
                if re.match(r"[a-z]+:", link):
                    continue
                with self.subTest(page=page.name, link=link):
                    path, _, fragment = link.partition("#")
                    target = (page.parent / path).resolve() if path else page
                    self.assertTrue(target.exists(), "no such file")
                    if fragment:
                        self.assertIn(fragment, pages.anchors(target))
                    checked += 1
        self.assertGreater(checked, 0)

    def test_named_files_exist(self) -> None:
        named = re.compile(r"`((?:%s)/[A-Za-z0-9_./-]*)`" % "|".join(FOLDERS))
        for page in PAGES:
            for path in named.findall(pages.prose(page)):
                with self.subTest(page=page.name, path=path):
                    self.assertTrue((ROOT / path).exists(), "no such file")

    def test_every_page_is_in_the_index(self) -> None:
        index = pages.links(ROOT / "docs" / "README.md")
        for page in (ROOT / "docs").glob("*.md"):
            if page.name != "README.md":
                self.assertIn(page.name, index)


class Parser(unittest.TestCase):
    def test_output_is_compared_line_by_line(self) -> None:
        self.assertTrue(pages.matches("a …\nc\n", "a b\nc\n"))
        self.assertFalse(pages.matches("a …\n", "a b\nc\n"))
        self.assertFalse(pages.matches("+GO\n", "+GONE\n"))
        self.assertTrue(pages.matches("b\n", "a\nb\nc\n", anywhere=True))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
