"""A corpus whose every string is an attack: nothing runs, nothing is asked for, and it is shown as text."""

import json
import shlex

from tests.support.audit.browser import rows_of
from tests.support.audit.hostile import PAYLOADS, RUN
from tests.support.commands import curation

SHOWN = """
return [...document.querySelectorAll('#app *')].flatMap(element => [
    ...[...element.childNodes].filter(node => node.nodeType === Node.TEXT_NODE).map(node => node.data),
    ...['title', 'aria-label', 'aria-valuetext', 'placeholder'].map(name => element.getAttribute(name) || ''),
]).join('')
"""
"""All text of the page, also what is read out or shown on hovering."""
TABS = ["overview", "thresholds", "systems", "speakers", "marks", "listen"]


def test_no_string_does_more_than_to_be_read(browser, hostile):
    browser.open(hostile)
    for tab in TABS:
        browser.go(f"#/{tab}")
    browser.run("document.querySelectorAll('details').forEach(item => item.open = true)")
    for _ in range(len(rows_of(hostile))):  # keys at once would pass over rows that are not drawn by then
        browser.keys("j")
    browser.go("#/listen?" + "&".join(f"{name}={RUN}<img src=x onerror={RUN}>" for name in ("speaker", "q", "id")))
    assert browser.run("return globalThis.hit ?? null") is None
    made = "#app script, #app img, #app style, #app base, #app iframe, #app [onload], #app [onerror]"
    assert browser.run("return document.querySelectorAll(arguments[0]).length", made) == 0
    assert browser.complaints() == []
    assert [url for url in browser.requests() if not url.startswith((hostile.as_uri(), "data:"))] == []


def test_hidden_characters_are_shown_as_escapes(browser, hostile):
    browser.open(hostile, "#/listen?q=txt.exe")
    assert browser.text(".card .said") == r"\u202etxt.exe\u2066 \u200bhidden\u0000\u001b[31m"
    for tab in TABS:
        browser.go(f"#/{tab}")
        assert not set(browser.run(SHOWN)) & set("\u202e\u2066\u200b\u0000\u001b"), tab


def test_what_is_copied_is_quoted(browser, hostile):
    browser.open(hostile, "#/listen?speaker=" + "%27%20OR%201%3D1%3B%20DROP%20TABLE%20segments%3B%20--")
    browser.run("document.querySelectorAll('details').forEach(item => item.open = true)")
    sql, command = (shlex.split(text) for text in browser.texts(".take pre"))
    assert sql[:2] == ["curation", "sql"]
    rows = curation(*sql[1:], "--json").stdout
    assert [row[5] for row in json.loads(rows)["rows"]] == ["' OR 1=1; DROP TABLE segments; --"]
    assert not any("DROP" in word for word in command)
    browser.go("#/listen?reason=" + "%24(touch%20%2Ftmp%2Fhit)%3B%20%60touch%20%2Ftmp%2Fhit%60")
    assert "--reason '$(touch /tmp/hit); `touch /tmp/hit`'" in browser.texts(".take pre")[1]


def test_formulas_of_spreadsheets_are_no_formulas(browser, hostile):
    browser.open(hostile, "#/listen?q=HYPERLINK")
    browser.run(
        "Object.defineProperty(navigator, 'clipboard', {value: {writeText: (text) => { globalThis.copied = text; }}})"
    )
    browser.run("document.querySelectorAll('details').forEach(item => item.open = true)")
    browser.click(".take button", "CSV")
    cells = browser.run("return globalThis.copied").split("\r\n")[1].split('","')
    assert cells[2].startswith("'=HYPERLINK")
    assert not any(cell.lstrip('"').startswith(("=", "+", "-", "@")) for cell in cells)


def test_marks_of_another_page_cannot_break_this_one(browser, hostile):
    browser.open(hostile, "#/marks")
    broken = json.dumps([None, 1, {"id": 5}, {"id": PAYLOADS[0], "kind": PAYLOADS[1], "verdict": PAYLOADS[2], "at": 7}])
    for value in ("{", broken):
        place = "'curation-marks-' + document.querySelector('.foot code').dataset.corpus"
        browser.run(f"localStorage.setItem({place}, arguments[0])", value)
        browser.open(hostile, "#/marks")
        assert browser.run("return globalThis.hit ?? null") is None
        assert "Marks" in browser.text("main")
    browser.run("localStorage.clear()")
