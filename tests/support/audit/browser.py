"""Pages of `curation audit` in Debian's Chromium, without a window; and their data, read as the page reads it."""

import base64
import gzip
import json
import re
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By

ARGUMENTS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--mute-audio", "--hide-scrollbars"),
)
SCRIPT = re.compile(rb'^AUDIT\.take\("([a-z]+)","([A-Za-z0-9+/=]+)"\);\n$')


class Browser(AbstractContextManager["Browser"]):
    """One browser for many pages."""

    def __init__(self, *arguments: str) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for argument in (*ARGUMENTS, *arguments):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))

    def __exit__(self, *_: object) -> None:
        self.driver.quit()

    def open(self, page: Path, place: str = "", width: int = 1280) -> None:
        """Open a page anew and wait until all segments are read."""
        self.visit((page / "index.html").as_uri() + place, width)

    def visit(self, url: str, width: int = 1280) -> None:
        """The same of a page at a URL."""
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False},
        )
        self.driver.get("about:blank")
        self.forget()
        self.driver.get(url)
        self.until("document.querySelector('main')?.dataset.state === 'ready'")

    def until(self, condition: str, seconds: float = 20) -> None:
        """Wait for a condition in JavaScript."""
        end = time.monotonic() + seconds
        while not self.run(f"return Boolean({condition})"):
            assert time.monotonic() < end, (condition, self.run("return document.body.innerText"))
            time.sleep(0.02)

    def run(self, script: str, *values: Any) -> Any:
        return self.driver.execute_script(script, *values)

    def go(self, place: str) -> None:
        """To another place of the page."""
        self.run("location.hash = arguments[0]", place)
        self.settle()

    def settle(self) -> None:
        """What was asked for is shown."""
        self.driver.execute_async_script("requestAnimationFrame(() => setTimeout(arguments[0], 30))")

    def text(self, selector: str) -> str:
        return str(self.run("return document.querySelector(arguments[0]).innerText", selector))

    def texts(self, selector: str) -> list[str]:
        return list(self.run("return [...document.querySelectorAll(arguments[0])].map(e => e.innerText)", selector))

    def click(self, selector: str, text: str = "") -> None:
        """The first element that the selector finds with the text."""
        found = self.driver.find_elements(By.CSS_SELECTOR, selector)
        next(item for item in found if text in item.text).click()
        self.settle()

    def keys(self, *keys: str) -> None:
        """To whatever has the focus."""
        ActionChains(self.driver).send_keys(*keys).perform()
        self.settle()

    def forget(self) -> None:
        for kind in ("browser", "performance"):
            self.driver.get_log(kind)

    def complaints(self) -> list[str]:
        """What the console has said since the page was opened."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """URLs that were asked for since the page was opened."""
        entries = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [item["params"]["request"]["url"] for item in entries if item["method"] == "Network.requestWillBeSent"]


def data_of(file: Path) -> Any:
    """The values of a file of data."""
    match = SCRIPT.match(file.read_bytes())
    assert match, file
    return json.loads(gzip.decompress(base64.b64decode(match[2])))


def meta_of(page: Path) -> dict[str, Any]:
    found: dict[str, Any] = data_of(page / "data/meta.js")
    return found


def rows_of(page: Path) -> list[dict[str, Any]]:
    """All rows of a page, by column."""
    columns = meta_of(page)["columns"]
    files = sorted((page / "data").glob("rows-*.js"))
    return [dict(zip(columns, row, strict=True)) for file in files for row in data_of(file)]
