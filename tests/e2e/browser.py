"""A person's browser on the hub's pages: headless Chromium, driven by Playwright."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
import json
from pathlib import Path
import re
import shutil
import time
from typing import Literal

from playwright.sync_api import Browser as Chromium, FloatRect, Locator, Page, ViewportSize, sync_playwright

START_WITHIN = 30_000  # ms; the first page takes 6 s on two shared cores

# All that a person reads: Home Assistant keeps its pages in shadow roots, which innerText does not see into.
_TEXT = """() => {
  const seen = [];
  const visit = (node) => {
    if (node.nodeType === Node.TEXT_NODE) {
      const visible = !node.parentElement?.checkVisibility || node.parentElement.checkVisibility();
      if (visible && node.textContent.trim()) seen.push(node.textContent.trim());
    } else if (node.nodeName === "SLOT" && node.assignedNodes().length) {
      node.assignedNodes().forEach(visit);
    } else if (!["SCRIPT", "STYLE", "TEMPLATE"].includes(node.nodeName)) {
      (node.shadowRoot ?? node).childNodes.forEach(visit);
    }
  };
  visit(document.body);
  return seen.join("\\n");
}"""


def find_chromium() -> str | None:
    """The Chromium or Chrome of this machine."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


@dataclass
class Browser:
    """One tab, and what went wrong in it: errors of scripts, requests that failed."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)

    def beside(self, token: str) -> "Browser":
        """A tab of whose token this is, in a window of the same size; what goes wrong there is noted here."""
        chromium = self.page.context.browser
        assert chromium
        assert self.page.viewport_size
        return _open_tab(chromium, self.url, token, self.page.viewport_size, "light", self.complaints)

    def open(self, path: str = "/") -> None:
        """Open a path or a whole address of the hub; returns once its first panel is drawn."""
        self.page.goto(path if path.startswith("http") else self.url + path, timeout=START_WITHIN)
        self.page.locator("home-assistant-main").wait_for(timeout=START_WITHIN)
        # The start picture lies over the page until then.
        self.page.locator("#ha-launch-screen").wait_for(state="detached", timeout=START_WITHIN)

    def wait_for_text(self, text: str) -> None:
        """Wait until the page shows a text."""
        self.page.get_by_text(text).first.wait_for(timeout=START_WITHIN)

    def text(self) -> str:
        """What the page shows now, a line for each piece of text."""
        text: str = self.page.evaluate(_TEXT)
        return text

    def choose(self, label: str, option: str) -> None:
        """Click on a select, and on one of its options."""
        self._select(label).click()
        self.page.get_by_role("menuitem", name=option, exact=True).click()

    def fill(self, label: str, value: str) -> None:
        """Write a number into its field, and leave it."""
        field = self.page.get_by_label(label, exact=True).first
        field.fill(value)
        field.press("Enter")

    def press(self, label: str) -> None:
        """Press the button in the row of a label."""
        row = self.page.locator("hui-button-entity-row").filter(has_text=re.compile(rf"(^|\s){label}(\s|$)"))
        row.get_by_role("button").first.click()

    def wait_for_row(self, label: str, value: str) -> None:
        """Wait until the row of a sensor shows a value."""
        row = self.page.locator("hui-sensor-entity-row, hui-simple-entity-row")
        for words in (label, value):
            row = row.filter(has_text=re.compile(rf"(^|\s){words}(\s|$)"))
        row.first.wait_for(timeout=START_WITHIN)

    def slide(self, label: str, share: float) -> None:
        """Click into the slider in the row of a label, at a share of its length."""
        row = self.page.locator("hui-number-entity-row").filter(has_text=re.compile(rf"(^|\s){label}(\s|$)"))
        slider = row.locator("ha-slider")
        slider.wait_for(timeout=START_WITHIN)
        box = slider.bounding_box()
        assert box, f"the slider of {label} is not shown"
        slider.click(position={"x": box["width"] * share, "y": box["height"] / 2})

    def wait_for_chosen(self, label: str, option: str) -> None:
        """Wait until a select shows an option."""
        self._select(label).get_by_text(option, exact=True).first.wait_for(timeout=START_WITHIN)

    def _select(self, label: str) -> Locator:
        return self.page.locator("ha-select").get_by_label(label, exact=True)

    def picture(self, file: Path, clip: tuple[int, int, int, int] | None = None) -> Path:
        """Take a picture of the page, or of (x, y, width, height), once nothing moves on it any more."""
        place: FloatRect | None = None
        if clip:
            place = {"x": clip[0], "y": clip[1], "width": clip[2], "height": clip[3]}
        file.parent.mkdir(parents=True, exist_ok=True)
        before = b""
        # Cards are drawn late and slide in; a page with a clock or a spinner never stops, hence the limit.
        for _ in range(20):
            now = self.page.screenshot(path=file, clip=place)
            if now == before:
                break
            before = now
            self.page.wait_for_timeout(250)
        return file


@contextmanager
def browser(
    url: str, token: str | None = None, *, size: tuple[int, int] = (1280, 900), dark: bool = False
) -> Iterator[Browser]:
    """A fresh browser for the hub at ``url``.

    Args:
        url: The hub's address.
        token: Whose pages to see; without one the browser comes as a stranger.
        size: Of the page, in pixels.
        dark: Whether the person likes it dark.
    """
    executable = find_chromium()
    assert executable, "no Chromium on PATH"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=executable,
            # Chromium's sandbox does not start as root; the others keep it from asking the internet.
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-background-networking",
            ],
        )
        try:
            viewport: ViewportSize = {"width": size[0], "height": size[1]}
            yield _open_tab(chromium, url, token, viewport, "dark" if dark else "light", [])
        finally:
            chromium.close()


def _open_tab(
    chromium: Chromium,
    url: str,
    token: str | None,
    viewport: ViewportSize,
    colours: Literal["dark", "light"],
    complaints: list[str],
) -> Browser:
    context = chromium.new_context(
        viewport=viewport,
        locale="en-GB",
        timezone_id="UTC",
        service_workers="block",
        color_scheme=colours,
    )
    if token:
        context.add_init_script(_logged_in(url, token))
    tab = Browser(context.new_page(), url, complaints)
    _listen(tab)
    return tab


def _logged_in(url: str, token: str) -> str:
    """A script that gives the page its token, as if it had asked for one."""
    far = 10**9  # seconds: it is not asked to renew a token that does not end
    tokens = {
        "hassUrl": url,
        "clientId": None,
        "access_token": token,
        "refresh_token": "",
        "token_type": "Bearer",
        "expires_in": far,
        "expires": int((time.time() + far) * 1000),
    }
    return f"localStorage.setItem('hassTokens', {json.dumps(json.dumps(tokens))})"


def _listen(tab: Browser) -> None:
    page, complaints = tab.page, tab.complaints

    def note(address: str, what: str | None) -> None:
        # The makers' logos come from the internet, which the hub does without.
        if "brands" not in address:
            complaints.append(f"{what} {address}")

    # A response that failed shows up as such, with its address.
    page.on(
        "console",
        lambda message: (
            complaints.append(message.text)
            if message.type == "error" and "Failed to load resource" not in message.text
            else None
        ),
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "requestfailed",
        # Aborted is what the next page did not wait for.
        lambda request: note(request.url, request.failure) if request.failure != "net::ERR_ABORTED" else None,
    )
    page.on(
        "response",
        lambda response: note(response.url, str(response.status)) if response.status >= 400 else None,
    )
