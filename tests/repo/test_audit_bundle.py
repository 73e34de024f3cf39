"""The scripts and styles of `curation audit` are those that their sources make."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES, BUILT = ROOT / "web/audit", ROOT / "curation/audit/page/static"


@pytest.mark.slow  # npm fetches esbuild and preact
def test_the_bundle_follows_from_its_sources(tmp_path):
    if shutil.which("npm") is None:
        pytest.skip("no npm: only who changes web/audit needs it")
    copy = tmp_path / "audit"
    shutil.copytree(SOURCES, copy, ignore=shutil.ignore_patterns("node_modules"))
    subprocess.run(["npm", "ci", "--silent"], cwd=copy, check=True)
    subprocess.run(["node", "build.mjs", tmp_path / "built"], cwd=copy, check=True)
    made = {path.name: path.read_bytes() for path in (tmp_path / "built").iterdir()}
    assert made == {path.name: path.read_bytes() for path in BUILT.iterdir()}


def test_the_page_is_that_of_the_sources():
    assert (BUILT / "index.html").read_bytes() == (SOURCES / "src/index.html").read_bytes()


def test_sources_write_no_markup_and_run_no_text():
    files = {path.name: path.read_text(encoding="utf-8") for path in (SOURCES / "src").iterdir()}
    assert [name for name, text in files.items() if "fetch(" in text] == ["server.js"]
    text = "\n".join(files.values())
    for name in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        'style="',
    ):
        assert name not in text


def test_the_page_allows_no_inline_script_and_no_network():
    page = (BUILT / "index.html").read_text(encoding="utf-8")
    assert page.count("<script") == page.count("<script src=") == 2
    policy = page.partition('http-equiv="Content-Security-Policy" content="')[2].partition('"')[0]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert {rules[name] for name in ("script-src", "style-src", "media-src")} == {"file: 'self'"}
    assert rules["require-trusted-types-for"] == "'script'"
    assert not {"connect-src", "frame-src", "worker-src"} & set(rules)


def test_licences_of_what_is_bundled_are_there():
    assert "Jason Miller" in (BUILT / "LICENSES.txt").read_text(encoding="utf-8")
