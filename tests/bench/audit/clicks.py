"""The twelve questions of docs/results/2026-11-27-audit.md, done: clicks and keys on the page, seconds of the commands.

    python -m tests.bench.audit.clicks demo/corpus demo/audit       # the page written with --against, for its Diff

Each question is asked of the page as it opens, in Debian's Chromium: every click and every key is counted, and that the
answer is to be seen is asserted. Commands are run on the same corpus, each in a process of its own.
"""

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from selenium.webdriver.common.keys import Keys

from tests.support.audit.browser import Browser, meta_of, rows_of

FIELD, AIM = "consensus.max_pwer", 0.10


class Hand(Browser):
    """A browser that counts what is done by hand."""

    clicks = 0
    pressed = 0

    def click(self, selector: str, text: str = "") -> None:
        self.clicks += 1
        super().click(selector, text)

    def keys(self, *keys: str) -> None:
        self.pressed += len(keys) if all(len(key) == 1 for key in keys) else 1
        super().keys(*keys)

    def spent(self) -> str:
        """What was done since it was last asked."""
        found = [f"{self.clicks} click{'s' * (self.clicks != 1)}"]
        found += [f"{self.pressed} key{'s' * (self.pressed != 1)}"] if self.pressed else []
        self.clicks = self.pressed = 0
        return ", ".join(found)


class Page:
    """What is asked of a page; each question begins where it opens, and asserts that its answer is there."""

    def __init__(self, hand: Hand, page: Path) -> None:
        self.hand, self.page, self.meta, self.rows = hand, page, meta_of(page), rows_of(page)
        rejects = [row["reason"] for row in self.rows if row["status"] == "rejected" and row["broken"]]
        self.reason = max(set(rejects), key=rejects.count)
        self.reject = next(row for row in self.rows if row["reason"] == self.reason and row["broken"])

    def why(self) -> None:
        self.hand.click("nav a", "Listen")
        self.hand.keys("/")
        self.hand.keys(self.reject["id"] + Keys.ESCAPE)
        self._see(f"document.querySelector('.card .id').innerText === {json.dumps(self.reject['id'])}")
        self._see("document.querySelector('.rules tr.broken').innerText.includes('the reason')")

    def where(self) -> None:
        self._see("document.querySelector('.waterfall tfoot').innerText.includes('kept')")

    def whatif(self) -> None:
        dim = [rule["field"] for rule in self.meta["rules"]].index(FIELD)
        edges = self.meta["cube"]["edges"][dim]
        aim = min(range(len(edges)), key=lambda at: abs(edges[at] - AIM))
        self.hand.click("nav a", "Thresholds")
        self.hand.click(f"#slider-{dim}")
        at = int(self.hand.run(f"return document.getElementById('slider-{dim}').value"))
        for _ in range(abs(aim - at)):
            self.hand.keys(Keys.ARROW_LEFT if aim < at else Keys.ARROW_RIGHT)
        self._see(f"document.querySelector('.effect').innerText.includes('{FIELD}={edges[aim]}')")

    def disagree(self) -> None:
        self.hand.click("nav a", "Systems")
        self._see("document.querySelectorAll('main table').length >= 1")

    def who(self) -> None:
        self.hand.click("nav a", "Speakers")
        self._see("document.querySelector('main').innerText.includes('Gini')")

    def twenty(self) -> None:
        self.hand.click(".waterfall button", self.reason)
        here = min(20, sum(row["reason"] == self.reason for row in self.rows))
        for number in range(here):
            self.hand.keys(" ")
            self._see("document.querySelector('audio').currentTime > 0")
            if number + 1 < here:
                self.hand.keys("j")

    def denoised(self) -> None:
        self.hand.click(".waterfall button", "kept")
        self.hand.keys("b")
        self._see("document.querySelector('audio').src.includes('.src.')")

    def builds(self) -> None:
        self.hand.click("nav a", "Diff")
        self._see("document.querySelector('main').innerText.includes('Kept now')")

    def subset(self) -> None:
        self.hand.click(".waterfall button", self.reason)
        self.hand.click(".take summary")
        self.hand.click(".take figure button", "Copy")
        self._see("document.querySelector('.take figure .said').innerText.includes('copied')")

    def errors(self) -> None:
        self.hand.click(".waterfall button", "kept")
        self.hand.keys("2")
        self._see("document.querySelector('.mark[aria-pressed=true]')")
        self.hand.click("nav a", "Marks")
        self.hand.click("button.main", "Download")

    def good(self) -> None:
        self.hand.click(".waterfall button", "kept")
        for _ in range(min(20, sum(row["status"] == "kept" for row in self.rows))):
            self.hand.keys("1")
            self._see("document.querySelector('.mark[aria-pressed=true]')")
            self.hand.keys("j")
        self.hand.click("nav a", "Marks")
        self.hand.click("button.main", "Download")

    def this(self) -> None:
        self.hand.click(".waterfall button", "kept")
        self.hand.click(".card footer button", "Copy link")
        self._see(
            "[...document.querySelectorAll('.card footer .said')].some(item => item.innerText.includes('copied'))"
        )

    def _see(self, condition: str) -> None:
        self.hand.until(condition)


def questions(page: Page, earlier: str | None, marks: str) -> Iterator[tuple[str, Callable[[], None], Sequence[str]]]:
    """Each question, what is done on the page, and the command without the name of the corpus."""
    reject, reason = page.reject["id"], page.reason
    yield "why was this rejected?", page.why, ["why", "CORPUS", reject]
    yield "where did the hours go?", page.where, ["summary", "CORPUS"]
    yield "what would pWER below 0.10 keep?", page.whatif, ["whatif", "CORPUS", "--set", f"{FIELD}={AIM}"]
    yield "where do the systems disagree?", page.disagree, ["sample", "CORPUS", "--sort", "disagreement"]
    yield "who dominates?", page.who, ["top", "CORPUS", "speakers"]
    yield "20 random rejects of a reason, to hear", page.twenty, ["sample", "CORPUS", "--reason", reason, "-n", "20"]
    yield "did denoising hurt?", page.denoised, []
    if earlier:
        yield "what has changed since the other build?", page.builds, ["diff", earlier, "CORPUS"]
    yield "give me this subset", page.subset, ["sql", "CORPUS", f"SELECT id FROM segments WHERE reason = '{reason}'"]
    yield "I found errors", page.errors, ["marks", "import", "CORPUS", marks]
    yield "how good is the kept set?", page.good, ["audit", "estimate", "CORPUS"]
    yield "look at this one", page.this, ["why", "CORPUS", reject]


def seconds(corpus: str, command: Sequence[str]) -> str:
    """What a command takes."""
    if not command:
        return "-"
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    line = [sys.executable, "-m", "curation", *(corpus if word == "CORPUS" else word for word in command), "--json"]
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL)
    after, whole = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - start
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return f"`{' '.join(command[: 2 if command[0] in {'audit', 'marks'} else 1])}` {whole:.1f} s, {cpu:.1f} CPU s"


def marks_of(page: Page, file: Path) -> str:
    """Marks of 20 kept utterances as the page writes them."""
    kept = [row for row in page.rows if row["status"] == "kept"][:20]
    strata = page.meta["strata"]
    lines = [
        {
            "id": row["id"],
            "kind": "text",
            "verdict": "right",
            "text_seen": f"sha256:{hashlib.sha256(row['text'].encode()).hexdigest()}",
            "sample": {
                "stratum": strata[row["stratum"]][0],
                "weight": strata[row["stratum"]][1] / strata[row["stratum"]][2],
                "size": strata[row["stratum"]][1],
            },
        }
        for row in kept
    ]
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return str(file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus")
    parser.add_argument("page", type=Path)
    parser.add_argument("--earlier", help="the build with which the page was compared")
    arguments = parser.parse_args()
    hand = Hand("--autoplay-policy=no-user-gesture-required")
    with tempfile.TemporaryDirectory() as temporary, hand:
        page = Page(hand, arguments.page.resolve())
        marks = marks_of(page, Path(temporary, "marks.jsonl"))
        print("| question | page | command |\n|---|---|---|")
        for question, act, command in questions(page, arguments.earlier, marks):
            hand.open(page.page)
            hand.run("localStorage.clear()")
            hand.open(page.page)
            act()
            print(f"| {question} | {hand.spent()} | {seconds(arguments.corpus, command)} |", flush=True)


if __name__ == "__main__":
    main()
