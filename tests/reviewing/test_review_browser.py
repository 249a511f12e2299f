"""The page of a review in a real browser: fifty decisions by keyboard, names as text, and a page from elsewhere."""

from __future__ import annotations

import http.server
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from made_queues import make_queue
from test_review_server import Serving

from seisvision.data.corrections.standing import standing
from seisvision.data.corrections.table import read_decisions
from seisvision.reviewing.page import write_file

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "runs" / "escapes"))
from hostile_names import HOSTILE

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    opened = browser.new_page(viewport={"width": 1200, "height": 900})
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("dialog", lambda dialog: problems.append(f"alert {dialog.message}"))
    yield opened
    opened.close()
    assert problems == []


def wait_for(page: Any, n: int) -> None:
    page.wait_for_function("n => document.getElementById('count').textContent.startsWith(`${n} of`)", arg=n)


def test_fifty_decisions_by_keyboard_and_a_killed_server_loses_none(page: Any, tmp_path: Path) -> None:
    queue = make_queue(tmp_path / "queue", 50).path
    server = Serving(queue)
    page.goto(server.address)
    for n in range(25):
        wait_for(page, n)
        assert page.locator("#answer").is_hidden(), "blind first"
        assert page.locator("#value").is_hidden(), "classes are chosen, not typed"
        page.keyboard.press("2" if n % 3 == 0 else "k")
    wait_for(page, 25)
    server.end(signal.SIGKILL)
    page.keyboard.press("k")
    page.locator("#error").wait_for(state="visible")
    assert len(standing(read_decisions(queue / "corrections.csv"))) == 25
    server = Serving(queue)
    page.goto(server.address)
    for n in range(25, 50):
        wait_for(page, n)
        page.keyboard.press("d" if n == 30 else "u" if n == 31 else "k")
    wait_for(page, 50)
    page.keyboard.press("z")
    wait_for(page, 49)
    server.end(signal.SIGINT)
    decisions = read_decisions(queue / "corrections.csv")
    assert len(decisions) == 51 and len(standing(decisions)) == 49


def test_hostile_names_stay_text(page: Any, tmp_path: Path) -> None:
    name = HOSTILE["script"]
    server = Serving(make_queue(tmp_path / "queue", 2, [name], [name, HOSTILE["attribute"]]).path)
    page.goto(server.address)
    wait_for(page, 0)
    assert name in page.locator("#event").inner_text()
    assert name[:10] in page.locator("#lines svg text").first.text_content()
    server.end(signal.SIGINT)


def test_a_page_of_another_origin_can_write_nothing(page: Any, tmp_path: Path) -> None:
    queue = make_queue(tmp_path / "queue", 2).path
    server = Serving(queue)
    handler = type("Other", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    other = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=other.serve_forever, daemon=True).start()
    page.goto(f"http://127.0.0.1:{other.server_address[1]}/")
    tried = page.evaluate(
        """async (address) => {
          const told = JSON.stringify({ number: 0, verdict: "discard" });
          const ways = [{}, { mode: "no-cors" }, { headers: { "Content-Type": "application/json" } }];
          const said = [];
          for (const way of ways) {
            try { said.push((await fetch(address + "decide", { method: "POST", body: told, ...way })).status); }
            catch (error) { said.push("refused"); }
          }
          return said;
        }""",
        server.address,
    )
    assert all(one in ("refused", 0) for one in tried) and not (queue / "corrections.csv").exists()
    other.shutdown()
    server.end(signal.SIGINT)


def test_the_file_without_a_server_downloads_its_decisions(page: Any, tmp_path: Path) -> None:
    path = write_file(make_queue(tmp_path / "queue", 3), tmp_path / "page.html", "anna")
    page.goto(path.as_uri())
    for n, key in enumerate("k2d"):
        wait_for(page, n)
        page.keyboard.press(key)
    wait_for(page, 3)
    with page.expect_download() as waiting:
        page.locator("#download").click()
    waiting.value.save_as(tmp_path / "corrections.csv")
    assert [one.verdict for one in read_decisions(tmp_path / "corrections.csv")] == ["keep", "correct", "discard"]


@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 1200), ("light", 375), ("dark", 375)])
def test_it_fits_a_phone_and_both_schemes(scheme: str, width: int, browser: Any, tmp_path: Path) -> None:
    path = write_file(make_queue(tmp_path / "queue", 3), tmp_path / "page.html", "anna")
    opened = browser.new_page(viewport={"width": width, "height": 740}, color_scheme=scheme)
    opened.goto(path.as_uri())
    wait_for(opened, 0)
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    background = opened.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(int(one) for one in background[4:-1].split(",")[:3]) > 380) == (scheme == "light")
    opened.close()
