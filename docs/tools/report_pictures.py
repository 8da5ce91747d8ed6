"""Takes the pictures of ``docs/report.md``: the first screen of a report in both themes, 1280 x 900 px.

``python docs/tools/report_pictures.py REPORT.html -o docs/images`` writes ``report-light.png`` and
``report-dark.png``. It needs the extra ``browser`` and Chromium; the variable CHROMIUM names its program.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from playwright.sync_api import sync_playwright

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


def main() -> None:
    """Write both pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("report", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    arguments = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ.get("CHROMIUM"), args=ARGUMENTS)
        for theme in ("light", "dark"):
            page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme=theme)
            page.goto(arguments.report.resolve().as_uri())
            path = arguments.out / f"report-{theme}.png"
            page.screenshot(path=str(path))
            print(f"wrote {path}")
        browser.close()


if __name__ == "__main__":
    main()
