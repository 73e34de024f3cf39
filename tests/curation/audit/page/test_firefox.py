"""The page in Firefox: it adds up, audio loads, and nothing of a hostile corpus runs."""

import shutil

import pytest

from tests.support.audit.firefox import Firefox

pytestmark = [
    pytest.mark.slow,  # starts another browser
    pytest.mark.skipif(shutil.which("firefox-esr") is None, reason="Debian's firefox-esr is not installed"),
]


@pytest.fixture(scope="module")
def firefox(tmp_path_factory):
    with Firefox(tmp_path_factory.mktemp("profile")) as found:
        yield found


def test_the_waterfall_is_there(firefox, page):
    firefox.open(page)
    names = firefox.run("return [...document.querySelectorAll('.waterfall tbody th')].map(item => item.innerText)")
    assert (names[0], names[-1]) == ("input", "kept")
    assert "consensus.max_pwer" in names


def test_audio_loads(firefox, page):
    firefox.open(page, "#/listen?reason=kept")
    firefox.until("document.querySelector('audio').duration > 0")
    assert firefox.run("return document.querySelector('audio').error") is None


def test_nothing_of_a_hostile_corpus_runs(firefox, hostile):
    for tab in ("overview", "thresholds", "systems", "speakers", "listen"):
        firefox.open(hostile, f"#/{tab}")
        assert firefox.run("return globalThis.hit ?? null") is None
        assert firefox.run("return document.querySelectorAll('#app script, #app img, #app style').length") == 0


def test_the_console_is_silent(firefox, page):
    """Whatever its tabs show; what its policy refuses would stand there."""
    for tab in ("overview", "thresholds", "systems", "speakers", "listen", "marks"):
        firefox.open(page, f"#/{tab}")
    assert firefox.complaints() == []
    firefox.run("const e = document.createElement('img'); e.src = 'https://example.com/x.png'; document.body.append(e)")
    assert any("example.com" in line for line in firefox.complaints())  # it does hear
