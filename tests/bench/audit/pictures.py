"""The pictures of docs/how-to/audit.md, of the page of a corpus, in Debian's Chromium.

    python -m tests.bench.audit.pictures audit               # of `curation audit corpus -o audit --against before`

Light and dark, 1280 and 400 pixels wide. Texts of the recordings are to be seen: only of those that may be published.
"""

import argparse
import io
from pathlib import Path

from PIL import Image
from selenium.webdriver.common.keys import Keys

from tests.support.audit.browser import Browser, meta_of

FOLDER = Path(__file__).resolve().parents[3] / "docs/how-to"
QUALITY = 80


def taken(browser: Browser, page: Path, place: str, theme: str, width: int, height: int) -> Image.Image:
    """A picture of a place of a page."""
    browser.open(page, place, width)
    browser.run("document.documentElement.dataset.theme = arguments[0]", theme)
    browser.driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
    )
    if place.startswith("#/thresholds"):
        dim = [rule["field"] for rule in meta_of(page)["rules"]].index("consensus.max_pwer")
        browser.run("document.getElementById(arguments[0]).focus({preventScroll: true})", f"slider-{dim}")
        browser.keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
        browser.run("document.activeElement.blur(); scrollTo(0, 0)")
    browser.settle()
    return Image.open(io.BytesIO(browser.driver.get_screenshot_as_png())).convert("RGB")


def beside(images: list[Image.Image], gap: int = 16) -> Image.Image:
    """Pictures from left to right."""
    width, height = sum(image.width + gap for image in images) - gap, max(image.height for image in images)
    whole, at = Image.new("RGB", (width, height), "#888888"), 0
    for image in images:
        whole.paste(image, (at, 0))
        at += image.width + gap
    return whole


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path)
    page, rejects = parser.parse_args().page.resolve(), "#/listen?reason=consensus.max_pwer"
    with Browser() as browser:
        narrow = [("", "light"), (rejects, "dark"), ("#/speakers", "light")]
        pictures = {
            "overview": taken(browser, page, "", "light", 1280, 720),
            "thresholds": taken(browser, page, "#/thresholds", "light", 1280, 900),
            "listen": taken(browser, page, rejects, "dark", 1280, 900),
            "more": beside(
                [
                    taken(browser, page, f"#/{tab}", theme, 1280, 900)
                    for tab, theme in (("speakers", "light"), ("diff", "dark"))
                ]
            ).reduce(2),
            "narrow": beside([taken(browser, page, place, theme, 400, 860) for place, theme in narrow]),
        }
    for name, picture in pictures.items():
        picture.save(FOLDER / f"audit-{name}.webp", quality=QUALITY, method=6)
        print(name, picture.size, (FOLDER / f"audit-{name}.webp").stat().st_size)


if __name__ == "__main__":
    main()
