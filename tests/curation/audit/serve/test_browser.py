"""The served page in Chromium: SQL over all segments, any of them heard, and nothing asked of any other host."""

from pathlib import Path

import axe_core_python
import pytest

AXE = Path(axe_core_python.__file__).with_name("axe.min.js").read_text(encoding="utf-8")
GOOD, TOKYO = "ann-0000032000-0000052000", "tokyo-0000008000-0000024000"


@pytest.fixture
def place(browser, address, served):
    """The page, once the link was opened."""
    browser.visit(served[2].link(int(address.rpartition(":")[2])))
    url = browser.run("return location.href")
    assert url == f"{address}/{served[2].place}/"
    return url


def asked(browser, sql):
    browser.run(
        "const box = document.getElementById('sql'); box.value = arguments[0];"
        "box.dispatchEvent(new Event('input', {bubbles: true}))",
        sql,
    )
    browser.click(".ask button[type=submit]", "Ask")
    browser.until("document.querySelector('.ask button').innerText === 'Ask'")


def test_segments_are_found_by_sql_and_heard(browser, place, address):
    browser.click("nav a", "Ask")
    asked(browser, f"SELECT id, text, 1.25 AS x FROM segments WHERE id IN ('{GOOD}', '{TOKYO}') ORDER BY id")
    assert [line.split("\t") for line in browser.texts(".answer tbody tr")] == [
        [GOOD, "Sensibility", "1.25"],
        [TOKYO, "你好, 世界", "1.25"],
    ]
    assert "2 rows" in browser.text("main [role=status]:not(button *)")
    browser.click("main button", "Listen to 2 segments")
    browser.until("document.querySelectorAll('[role=option]').length === 2")
    browser.until("document.querySelector('audio')?.duration > 0")
    assert browser.text(".card .said") in {"Sensibility", "你好, 世界"}
    browser.keys(" ")
    browser.until("document.querySelector('audio').currentTime > 0.1")
    browser.keys("b")
    browser.until("document.querySelector('audio').src.endsWith('.src.opus')")
    assert browser.run("return document.querySelector('.wave path').getAttribute('d').length") > 100
    assert browser.texts(".words span")
    assert {url.split("/")[2] for url in browser.requests() if not url.startswith("data:")} == {address.split("/")[2]}
    assert browser.complaints() == []


def test_an_address_leads_to_any_segment(browser, place):
    browser.visit(f"{place}#id={GOOD}")
    browser.until("document.querySelector('.card .said')?.innerText === 'Sensibility'")
    browser.visit(f"{place}#id=nobody")
    browser.until("document.querySelector('[role=alert]')?.innerText.includes('is not in the corpus')")


def test_a_filter_of_the_sample_becomes_a_question(browser, place):
    browser.visit(f"{place}#/listen?reason=kept&language=zh")
    browser.run("document.querySelectorAll('details').forEach(item => item.open = true)")
    browser.click(".take button", "Ask all segments")
    assert browser.run("return document.getElementById('sql').value").endswith(
        "WHERE status = 'kept'\nAND language = 'zh'"
    )
    browser.click(".ask button[type=submit]", "Ask")
    browser.until("document.querySelectorAll('.answer tbody tr').length === 1")


def test_what_is_wrong_with_a_question_is_said(browser, place):
    browser.click("nav a", "Ask")
    asked(browser, "SELECT * FROM read_csv('/etc/passwd')")
    assert "disabled by configuration" in browser.text("[role=alert]")
    asked(browser, "SELECT '<img src=x onerror=globalThis.hit=1>' AS \"<b>x</b>\", '\u202ea' AS y, NULL AS z")
    assert browser.texts(".answer th, .answer td") == [
        "<b>x</b>",
        "y",
        "z",
        "<img src=x onerror=globalThis.hit=1>",
        r"\u202ea",
        "",
    ]
    assert browser.run("return globalThis.hit ?? null") is None


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), pytest.param(400, "dark", marks=pytest.mark.slow)])
def test_axe_finds_nothing_serious_and_nothing_sticks_out(browser, place, width, theme):
    browser.visit(f"{place}#/ask", width)
    browser.run("document.documentElement.dataset.theme = arguments[0]", theme)
    asked(browser, "SELECT * FROM segments LIMIT 3")
    browser.run(AXE)
    found = browser.driver.execute_async_script("axe.run(document, {preload: false}).then(arguments[0])")
    bad = [item for item in found["violations"] if item["impact"] in ("serious", "critical")]
    assert [(item["id"], item["nodes"][0]["html"]) for item in bad] == []
    assert browser.run("return document.documentElement.scrollWidth") <= width
