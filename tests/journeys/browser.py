"""The system's Chromium, driven by playwright, for tests that look at pages as people do.

A test that needs it is skipped by name where no Chromium is installed; with CI=true it fails.
"""

import os
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, Response, async_playwright, expect

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

# Pages ask again every five seconds, which is how long playwright would wait for them to be right.
expect.set_options(timeout=30_000)


@dataclass
class Watched:
    """A page and what went wrong on it: errors on the console (what its content policy refused is among them), errors
    that nobody caught, and answers of 400 and more.
    """

    page: Page
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._logged)
        self.page.on("pageerror", lambda error: self.wrong.append(f"uncaught: {error}"))
        self.page.on("response", self._answered)

    def _logged(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.wrong.append(f"{message.type}: {message.text}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.wrong.append(f"{response.status} {response.url}")


def executable() -> str:
    """Where Chromium is. Skips the test (or fails it, with CI=true) where there is none."""
    for name in NAMES:
        if found := shutil.which(name):
            return found
    if os.environ.get("CI") == "true":
        pytest.fail("CI must have a Chromium on its PATH (Debian's package is called chromium)", pytrace=False)
    pytest.skip("no Chromium on PATH (Debian's package is called chromium)")


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A browser of its own, closed at the end."""
    path = executable()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            await browser.close()


async def watched_page(browser: Browser, **options: object) -> Watched:
    """A new page in a context of its own (`color_scheme`, `viewport`, ... as playwright names them)."""
    settings: Mapping[str, object] = {"locale": "en-GB", **options}
    context = await browser.new_context(**settings)  # type: ignore[arg-type]
    return Watched(await context.new_page())
