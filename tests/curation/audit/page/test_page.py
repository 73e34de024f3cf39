"""The page in Chromium, from file://: it adds up, is usable by keyboard, and shows nothing that strangers wrote as more
than text.
"""

import itertools
import json
import re
import shlex
import shutil
from collections import Counter
from pathlib import Path

import axe_core_python
import numpy as np
import pyarrow as pa
import pytest
from selenium.webdriver.common.keys import Keys

from curation.audit.corpus import Corpus
from curation.audit.estimate import estimate
from curation.audit.marks import import_marks
from curation.audit.page.rows import COLUMNS
from curation.audit.page.write import PageOptions, write_page
from curation.audit.whatif import what_if
from curation.core.errors import ConfigError
from curation.core.storage import Storage
from curation.manifests.marks.effects import effects
from curation.manifests.schemas import SCORE_MAP, VERDICT
from curation.manifests.verdicts import Rule, judge
from curation.pipeline.run import build
from tests.support.audit.browser import meta_of, rows_of
from tests.support.scripted import scripted_stages
from tests.support.story import publish_again, story_config

GOOD, TOKYO = "ann-0000032000-0000052000", "tokyo-0000008000-0000024000"
CUT, EMPTY = "refused-0000008000-0000016000", "refused-0000024000-0000032000"
SHOWN_IDS = "return [...document.querySelectorAll('[role=option]')].map(item => item.dataset.id)"
CUT_TABLES = """return [...document.querySelectorAll('.scroll')].filter(frame => frame.scrollWidth > frame.clientWidth)
    .map(frame => frame.getAttribute('aria-label'))"""
TABS = ["overview", "thresholds", "listen", "systems", "speakers", "marks"]
ROOT = Path(__file__).parents[4]
AXE = Path(axe_core_python.__file__).with_name("axe.min.js").read_text(encoding="utf-8")


def seconds(text):
    """Of a duration as the page writes it."""
    sign = -1 if text.startswith("\u2212") else 1
    units = {"h": 3600, "min": 60, "s": 1}
    found = re.findall(r"([\d.,]+)\u202f(h|min|s)", text)
    return sign * sum(float(number.replace(",", "")) * units[unit] for number, unit in found)


def test_the_waterfall_adds_up(browser, page):
    browser.open(page)
    rows = [line.split("\t") for line in browser.texts(".waterfall tbody tr")]
    durations = [seconds(row[2] if len(row) > 3 else row[1]) for row in rows]
    assert durations[0] == pytest.approx(sum(durations[1:]), abs=0.05 * len(durations))
    left = browser.run(
        "return [...document.querySelectorAll('.waterfall tbody .fill')].map(e => [e.style.left, e.style.width])"
    )
    edges = [(float(a[:-1]), float(a[:-1]) + float(b[:-1])) for a, b in left]
    assert edges[0] == (0, pytest.approx(100))
    for (begin, _), (_, end) in zip(edges[:-1], [*edges[1:]], strict=True):
        assert end == pytest.approx(begin or 100, abs=0.01)
    assert browser.complaints() == []


def test_rejects_of_a_reason_are_two_clicks_away_and_play(browser, page):
    browser.open(page)
    browser.click(".waterfall button", "consensus.max_pwer")
    reason = ("rejected", "consensus.max_pwer")
    shown = [row for row in rows_of(page) if (row["status"], row["reason"]) == reason]
    assert len(browser.texts("[role=option]")) == len(shown) > 0
    assert browser.text(".card .verdict").split() == ["rejected", "consensus.max_pwer", "0.15", "threshold", "0.15"]
    # Half a second, slowed down, so that a busy machine sees it play before it ends.
    browser.run("const audio = document.querySelector('audio'); audio.defaultPlaybackRate = audio.playbackRate = 0.1")
    browser.keys(" ")
    browser.until("!document.querySelector('audio').paused")
    browser.until("document.querySelector('audio').currentTime > 0.1")
    browser.keys("b")
    browser.until("document.querySelector('audio').src.endsWith('.src.opus')")
    browser.until("document.querySelector('audio').currentTime > 0.1 && !document.querySelector('audio').paused")
    browser.keys(" ")
    browser.until("document.querySelector('audio').paused")
    assert browser.complaints() == []


def test_the_keyboard_goes_through_the_list(browser, page):
    browser.open(page, "#/listen?reason=kept")
    order = browser.texts("[role=option] .text")
    assert browser.text(".card .said") == order[0]
    browser.keys("j", "j")
    assert browser.text("[aria-selected=true] .text") == browser.text(".card .said") == order[2]
    browser.keys("k")
    assert browser.text(".card .said") == order[1]
    browser.keys("/", "世界")
    assert browser.texts("[role=option] .text") == ["你好, 世界"]
    browser.keys(Keys.ESCAPE, "j")
    assert browser.text(".card .said") == "你好, 世界"


def test_an_address_leads_to_one_utterance(browser, page):
    row = next(row for row in rows_of(page) if row["text"] == "Sensibility")
    browser.open(page, f"#id={row['id']}")
    assert browser.text(".card .said") == "Sensibility"
    assert browser.text(".card .id") == row["id"]
    browser.open(page, "#id=nobody")
    assert "nobody" in browser.text("[role=alert]")


def test_the_card_shows_every_rule_and_what_systems_heard(browser, page):
    row = next(row for row in rows_of(page) if row["text"] == "Sense, and")
    browser.open(page, f"#id={row['id']}")
    assert [line.split() for line in browser.texts(".aligned tr")] == [
        ["text", "Sense,", "and"],
        ["one", "sense", "and"],
        ["two", "since", "(differs)", "and"],
    ]
    rules = {line.split("\t")[0]: line.split("\t")[1:] for line in browser.texts(".rules tbody tr")}
    assert rules["consensus.max_pwer"] == ["0.0625", "below 0.15", "+0.0875", "met"]
    assert rules["transcribe.min_independent"] == ["3", "at least 2", "+1", "met"]
    assert len(rules) == len(meta_of(page)["rules"])
    words = browser.run("return [...document.querySelectorAll('.words span')].map(e => [e.innerText, e.style.left])")
    assert words == [["Sense,", "0%"], ["and", "62.5%"]]


def kept_by_judging(rows, meta, thresholds):
    """Utterances that the publish pass would keep."""
    rules = [
        Rule(rule["field"], rule["column"], rule["breaks"], threshold, rule["required"], rule["unless_column"])
        for rule, threshold in zip(meta["rules"], thresholds, strict=True)
    ]
    fields = {rule["field"] for rule in meta["rules"]}
    late = [row["id"] for row in rows if row["status"] == "failed" and row["reason"] not in fields]
    tried = [row for row in rows if row["broken"] is not None and row["id"] not in late]
    scores = [
        [(name, value) for name, value in zip(meta["scores"], row["scores"], strict=True) if value is not None]
        for row in tried
    ]
    verdicts = judge(pa.array(scores, SCORE_MAP), pa.nulls(len(tried), VERDICT), rules)
    return verdicts["status"].to_pylist().count("kept")


def test_sliders_keep_what_publishing_would(browser, page):
    rows, meta = rows_of(page), meta_of(page)
    browser.open(page, "#/thresholds")
    dim = [rule["field"] for rule in meta["rules"]].index("consensus.max_pwer")
    edges = meta["cube"]["edges"][dim]
    for stop in range(edges.index(0.15), len(edges)):
        thresholds = [rule["threshold"] for rule in meta["rules"]]
        thresholds[dim] = edges[stop]
        expected = kept_by_judging(rows, meta, thresholds)
        assert browser.text(".effect .tile small") == f"{expected} utterances"
        browser.run("document.getElementById(arguments[0]).focus()", f"slider-{dim}")
        browser.keys(Keys.ARROW_RIGHT)
    gained = browser.texts(".examples button")
    assert gained
    assert all("gained from consensus.max_pwer" in text for text in gained)
    assert f"--set consensus.max_pwer={edges[-1]}" in browser.text(".code pre")
    browser.click("nav a", "Overview")
    assert "sliders" in browser.text("main .note")
    browser.click("nav a", "Thresholds")
    browser.click("button", "Back to the published")
    assert browser.texts(".examples button") == []


def test_each_slider_keeps_what_publishing_would(browser, page):
    rows, meta = rows_of(page), meta_of(page)
    browser.open(page, "#/thresholds")
    configured = [rule["threshold"] for rule in meta["rules"]]

    def move(dim, stop):
        browser.run(
            "const box = document.getElementById(arguments[0]); box.value = arguments[1];"
            "box.dispatchEvent(new Event('input', {bubbles: true}))",
            f"slider-{dim}",
            stop,
        )
        browser.settle()

    movable = {dim: edges for dim, edges in enumerate(meta["cube"]["edges"]) if len(edges) > 1}
    assert len(browser.texts(".slider")) == len(configured)
    assert len(browser.texts(".slider input")) == len(movable) >= 4
    for dim, edges in movable.items():
        for stop in (0, len(edges) - 1):
            move(dim, stop)
            thresholds = [edges[stop] if at == dim else value for at, value in enumerate(configured)]
            expected = kept_by_judging(rows, meta, thresholds)
            word = "utterance" if expected == 1 else "utterances"
            assert browser.text(".effect .tile small") == f"{expected} {word}", (meta["rules"][dim]["field"], stop)
        move(dim, edges.index(configured[dim]))


@pytest.mark.parametrize(
    "place",
    [
        "reason=kept",
        "reason=rejected&language=en",
        "reason=consensus.max_pwer",
        "reason=failed%20tokenize",
        "language=",
        "speaker=",
        "speaker=Ann",
        "q=SENSE",
        "q=since",  # only a system has heard it
        "q=refused%20one",
        "q=ann",
        "q=%E4%B8%96%E7%95%8C",
        "order=longest&q=.wav",
    ],
)
def test_the_sql_of_a_filter_finds_what_the_list_shows(browser, corpus, page, place):
    browser.open(page, f"#/listen?{place}")
    shown = {row["id"] for row in rows_of(page)} & {*browser.run(SHOWN_IDS)}
    browser.run("document.querySelectorAll('details').forEach(item => item.open = true)")
    _, _, _, query = shlex.split(browser.texts(".take pre")[0])
    assert {row["id"] for row in Corpus.open(str(corpus)).ask(query)} - {None} == shown
    assert shown
    assert ("whatever the order" in browser.texts(".take figcaption")[0]) == ("order" in place)


def test_the_sql_of_a_page_to_give_away_asks_for_nothing_that_the_page_does_not_have(browser, corpus, tmp_path):
    shared = tmp_path / "audit"
    write_page(Storage(str(corpus)), shared, PageOptions(per_reason=20, share=True))
    for place, left_out in (("q=a.wav", ""), ("q=ann", ""), ("speaker=speaker%201", ", whatever the speaker")):
        browser.open(shared, f"#/listen?{place}")
        shown = {*browser.run(SHOWN_IDS)}
        browser.run("document.querySelectorAll('details').forEach(item => item.open = true)")
        _, _, _, query = shlex.split(browser.texts(".take pre")[0])
        found = {row["id"] for row in Corpus.open(str(corpus)).ask(query)}
        assert found > shown if left_out else found == shown, place
        assert browser.texts(".take figcaption")[0].splitlines()[0].rstrip() == f"SQL, on all segments{left_out}"


def test_the_matrix_and_the_outliers_are_those_of_the_sample(browser, page):
    rows, meta = rows_of(page), meta_of(page)
    browser.open(page, "#/systems")
    head, *lines = [line.split("\t") for line in browser.texts(".matrix tr")]
    cells = {(line[0], name): value for line in lines for name, value in zip(head[1:], line[1:], strict=True)}
    for a, b in itertools.permutations(head[1:], 2):
        pairs = [pair for pair in meta["systems"]["pairs"] if pair[1:3] == [a, b]]
        errors, words = (sum(pair[at] for pair in pairs) for at in (3, 4))
        shown = float(cells[a, b].split("\u202f")[0]) if pairs else None
        assert shown == (pytest.approx(100 * errors / words, abs=0.051) if pairs else None)
    outliers = {line.split("\t")[0]: line.split("\t")[-1] for line in browser.texts("main > table tbody tr")}
    heard = Counter(system for row in rows for system, _, _, error in row["hypotheses"] if not error)
    assert {name: int(value) for name, value in outliers.items()} == dict(heard)


def test_the_lorenz_curve_is_that_of_the_kept_seconds(browser, corpus, page):
    kept = Corpus.open(str(corpus)).ask("SELECT speaker, seconds FROM segments WHERE status = 'kept'")
    found = Counter()
    for row in kept:
        found[row["speaker"]] += row["seconds"]
    seconds = sorted(found.values())
    share = [0, *(sum(seconds[: n + 1]) / sum(seconds) for n in range(len(seconds)))]
    browser.open(page, "#/speakers")
    path = browser.run("return document.querySelector('.curve').getAttribute('d')")
    points = [tuple(map(float, point.split())) for point in re.split("[ML]", path)[1:]]
    (left, bottom), (right, top) = points[0], points[-1]
    curve = [((x - left) / (right - left), (bottom - y) / (bottom - top)) for x, y in points]
    assert curve == [
        (pytest.approx(n / len(seconds), abs=0.001), pytest.approx(value, abs=0.001)) for n, value in enumerate(share)
    ]
    half = 100 * float(np.interp(0.5, [n / len(seconds) for n in range(len(share))], share))
    said = re.search(r"least has ([\d.]+)", browser.text("figcaption"))
    assert float(said[1]) == pytest.approx(half, abs=0.051)


def test_marks_stay_and_have_the_form_of_marks_jsonl(browser, page):
    row = next(row for row in rows_of(page) if row["text"] == "Sensibility")
    browser.open(page, f"#id={row['id']}")
    browser.run("localStorage.clear()")
    browser.open(page, f"#id={row['id']}")
    browser.keys("2")
    browser.until("document.querySelector('.correct textarea')")
    browser.run("document.querySelector('.correct textarea').focus()")
    browser.keys("!", Keys.TAB)
    browser.keys("1")
    browser.until("document.querySelectorAll('.mark[aria-pressed=true]').length === 1")
    browser.keys("u", "3", "4")
    browser.until("document.querySelectorAll('.mark[aria-pressed=true]').length === 2")
    browser.keys("3")
    browser.until("document.querySelectorAll('.mark[aria-pressed=true]').length === 1")
    (mark,) = json.loads(browser.run("return Object.entries(localStorage).find(([k]) => k.includes('marks'))[1]"))
    stratum = meta_of(page)["strata"][row["stratum"]]
    assert mark.pop("at").endswith("Z")
    assert mark == {
        "v": 1,
        "corpus": meta_of(page)["corpus"],
        "id": row["id"],
        "kind": "accept",
        "verdict": "wrong",
        "text": None,
        "tags": [],
        "by": "",
        "note": "",
        "text_seen": "sha256:604ae5ba3da2ae2acc62cb4858dd03f8b25613d571053fe99b059777fae35599",
        "sample": {"stratum": stratum[0], "weight": stratum[1] / stratum[2], "size": stratum[1]},
        "found": "linked",
    }
    browser.go("#/marks")
    assert "Download 1 mark" in browser.text("main")
    browser.click("td button", "Remove")
    assert "Nothing is marked yet" in browser.text("main")


def marked_as(browser):
    """How the page says that each utterance was found that was marked."""
    stored = browser.run("return Object.entries(localStorage).find(([k]) => k.includes('marks'))?.[1] ?? '[]'")
    return {mark["id"]: mark["found"] for mark in json.loads(stored)}


def test_a_mark_says_whether_the_utterance_came_at_random_or_was_chosen(browser, page):
    def marks(place, *steps):
        browser.open(page, place)
        for step in steps:
            step()
        browser.keys("1")
        browser.until("document.querySelector('.mark[aria-pressed=true]')")
        found = marked_as(browser)
        browser.run("localStorage.clear()")
        return [*found.values()]

    browser.open(page)
    browser.run("localStorage.clear()")
    kept = "#/listen?reason=kept"
    forward = lambda: browser.keys("j")  # noqa: E731
    last = lambda: browser.run("[...document.querySelectorAll('[role=option]')].at(-1).click()")  # noqa: E731
    here = lambda: browser.run("document.querySelector('[aria-selected=true]').click()")  # noqa: E731
    back = lambda: browser.keys("k")  # noqa: E731
    assert marks(kept) == marks(kept, forward) == marks(f"{kept}&language=en") == marks(kept, last, back) == ["random"]
    assert marks(kept, last) == marks(kept, last, forward) == ["picked"]
    assert marks(kept, here) == ["random"]
    assert marks(f"{kept}&order=longest", forward) == marks(f"{kept}&order=disagreement") == ["sorted"]
    assert marks("#/listen?q=sensibility") == ["searched"]
    assert marks(f"#id={GOOD}") == marks(f"#/listen?id={GOOD}") == ["linked"]
    recording = next(row["recording"] for row in rows_of(page) if row["id"] == GOOD)
    assert marks(f"#/listen?recording={recording}") == ["filtered"]
    assert "chosen (filtered)" in browser.text(".card footer")


def test_what_came_at_random_stays_so_when_it_is_found_again(browser, page):
    browser.open(page, "#/listen?reason=kept")
    browser.keys("1")
    browser.until("document.querySelector('.mark[aria-pressed=true]')")
    ((name, found),) = marked_as(browser).items()
    browser.open(page, f"#id={name}")
    browser.keys("2")
    browser.until("document.querySelector('.correct textarea')")
    assert (found, marked_as(browser)) == ("random", {name: "random"})  # and no longer right, but wrong
    browser.run("localStorage.clear()")


@pytest.fixture(scope="module")
def downloaded(browser, page, tmp_path_factory):
    """Marks of every kind that the page makes, of texts of two scripts and of none, as it writes them."""
    browser.open(page)
    browser.run("localStorage.clear()")
    for name, keys in {GOOD: "2", TOKYO: "13", CUT: "4", EMPTY: "4"}.items():
        browser.open(page, f"#id={name}")
        browser.keys(*keys)
        browser.click(".mark.quiet", "speaker")
    browser.open(page, f"#id={GOOD}")
    browser.run("document.querySelector('.correct textarea').focus()")
    browser.keys("!", Keys.TAB)
    browser.go("#/marks")
    browser.run(
        "const make = URL.createObjectURL; URL.createObjectURL = (blob) => "
        "{ blob.text().then((text) => { globalThis.saved = text; }); return make(blob); }"
    )
    browser.click("button.main", "Download 9 marks")
    browser.until("globalThis.saved")
    file = tmp_path_factory.mktemp("downloaded") / "marks.jsonl"
    file.write_text(browser.run("return globalThis.saved"), encoding="utf-8")
    browser.run("localStorage.clear()")
    return file


def test_what_is_downloaded_can_be_imported_and_the_page_of_what_is_published_then_adds_up(
    browser, corpus, downloaded, tmp_path
):
    out = tmp_path / "corpus"
    shutil.copytree(corpus, out)
    imported = import_marks(str(out), downloaded)
    assert (len(imported.taken), imported.stale, imported.unknown, imported.conflicts) == (9, [], [], [])
    changed = effects(imported.taken)
    assert {name: mark.text for name, mark in changed.texts.items()} == {GOOD: "Sensibility!"}
    assert {name: mark.kind for name, mark in changed.verdicts.items()} == {
        TOKYO: "reject",
        CUT: "accept",
        EMPTY: "accept",
    }
    with pytest.raises(ConfigError, match="no mark of a random sample"):
        estimate(imported.taken)  # all were opened by their links
    build(story_config("tokenize=null"), [], str(out), make_stages=scripted_stages)
    write_page(Storage(str(out)), tmp_path / "audit", PageOptions(audio="none"))
    rows, meta = {row["id"]: row for row in rows_of(tmp_path / "audit")}, meta_of(tmp_path / "audit")
    assert [rows[name]["marked"] for name in (TOKYO, CUT, EMPTY, GOOD)] == ["reject", "accept", "accept", None]
    for field in ("boundary.max_cut", "consensus.max_pwer"):
        dim = [rule["field"] for rule in meta["rules"]].index(field)
        edges = meta["cube"]["edges"][dim]
        browser.open(tmp_path / "audit", "#/thresholds")
        browser.run("document.getElementById(arguments[0]).focus()", f"slider-{dim}")
        browser.keys(Keys.ARROW_LEFT)
        edge = edges[edges.index(meta["rules"][dim]["threshold"]) - 1]
        promised = what_if(str(out), [f"{field}={edge}"])
        kept = sum(count for (status, _, _), count in promised.counts.items() if status == "kept")
        assert browser.text(".effect .tile small") == f"{kept} utterances"


@pytest.mark.parametrize(("width", "theme"), [pytest.param(1280, "light", marks=pytest.mark.slow), (400, "dark")])
def test_axe_finds_nothing_serious_and_nothing_sticks_out(browser, page, width, theme):
    browser.open(page, width=width)
    browser.run("document.documentElement.dataset.theme = arguments[0]", theme)
    browser.run(AXE)
    for tab in TABS:
        browser.go(f"#/{tab}?reason=kept")
        found = browser.driver.execute_async_script("axe.run(document, {preload: false}).then(arguments[0])")
        bad = [item for item in found["violations"] if item["impact"] in ("serious", "critical")]
        assert [(tab, item["id"], item["nodes"][0]["html"], item["nodes"][0]["failureSummary"]) for item in bad] == []
        assert browser.run("return document.documentElement.scrollWidth") <= width, tab
        assert browser.run(CUT_TABLES) == [], tab


def test_nothing_is_asked_for_outside_of_the_folder(browser, page):
    browser.open(page)
    for tab in TABS:
        browser.go(f"#/{tab}")
    assert all(url.startswith((page.as_uri(), "data:")) for url in browser.requests())
    assert browser.complaints() == []
    assert len(COLUMNS) == len(rows_of(page)[0])


def test_the_page_of_240_recordings_opens_and_adds_up(browser, page, tmp_path):
    """Its data are kept in docs/pages; script and style are those of today."""
    shutil.copytree(page, tmp_path / "audit", ignore=shutil.ignore_patterns("data", "audio"))
    shutil.copytree(ROOT / "docs/pages/recordings/data", tmp_path / "audit/data")
    browser.open(tmp_path / "audit")
    assert browser.text(".tile:nth-child(1) dd small") == "240 recordings"
    whole, *steps = [line.split("\t") for line in browser.texts(".waterfall tbody tr")]
    assert not any(step[0].strip().startswith("failed") for step in steps)
    assert sum(seconds(step[2]) for step in steps) == pytest.approx(seconds(whole[2]), abs=0.5 * len(steps))
    for tab in (*TABS, "diff"):
        browser.go(f"#/{tab}")
    assert browser.complaints() == []


def test_two_builds_stand_side_by_side(browser, corpus, page, story, tmp_path):
    browser.open(page)
    assert "Diff" not in browser.texts("nav a")
    other = publish_again(story, tmp_path, "consensus.max_pwer=0.5")
    write_page(Storage(str(corpus)), tmp_path / "audit", PageOptions(audio="none", against=str(other)))
    browser.open(tmp_path / "audit", "#/diff")
    changes = [line.split("\t")[:2] for line in browser.texts("main table:first-of-type tbody tr")]
    assert ["kept", "rejected consensus.max_pwer"] in [[cell.strip() for cell in row] for row in changes]
    assert "consensus.max_pwer\t0.5\t0.15" in browser.texts("main tr")
    browser.run(AXE)
    found = browser.driver.execute_async_script("axe.run(document, {preload: false}).then(arguments[0])")
    assert [item["id"] for item in found["violations"] if item["impact"] in ("serious", "critical")] == []
    assert browser.complaints() == []
