"""The report in a real browser, opened from disk."""

import shutil

import matplotlib.image
import numpy as np
import pytest
from fake_runs import CLASS, fake_clustering, fake_run

from seisvision.cli import main
from seisvision.records.thumbnails import write_thumbnails

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH")

SCRIPT = "<script>alert(1)</script>"
ROWS = "#leaderboard-source_type tbody tr"


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    top = tmp_path_factory.mktemp("compare")
    about = CLASS | {"class_names": ["tectonic", SCRIPT]}
    for i in range(12):
        settings = {"optimizer.lr": 0.1**i, "trainer.batch_size": 8 * (i // 2 + 1), "view.height": 32 * (i % 2 + 1)}
        skill, located_km = 0.1 + 0.07 * i, 50.0 * (i + 1)
        folder = fake_run(top / "runs" / str(i), settings, about=about, skill=skill, n=60, located_km=located_km)
        (folder / "figures").mkdir()
        for name in ("source_type_seen", "source_type_test_gradcam"):
            matplotlib.image.imsave(folder / "figures" / f"{name}.png", np.zeros((4, 4)))
        pictures = [(f"event-{number:04d}", np.full((3, 16, 24), 4 * number, np.uint8)) for number in range(0, 60, 2)]
        write_thumbnails(folder / "figures" / "thumbnails_test.json", pictures)
    fake_clustering(top / "runs" / "clusters")
    assert main(["compare", str(top / "runs"), "--out", str(top / "report.html")]) == 0
    return top / "report.html"


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser, report):
    opened = browser.new_page(viewport={"width": 1200, "height": 900})
    problems, requests = [], []
    opened.on("console", lambda message: problems.append(message.text))
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("dialog", lambda dialog: problems.append(f"alert {dialog.message}"))
    opened.on("request", lambda request: requests.append(request.url))
    opened.goto(report.as_uri())
    yield opened
    opened.close()
    assert problems == []
    assert [url for url in requests if not url.startswith(("data:", "file:"))] == []
    assert len([url for url in requests if url.startswith("file:")]) == 1


def column(page, number):
    return [float(cell.get_attribute("data-v")) for cell in page.locator(f"{ROWS} > :nth-child({number})").all()]


def test_the_table_sorts_by_mouse_and_by_keyboard(page):
    assert column(page, 1) == list(range(1, 13))
    heading = page.locator("#leaderboard-source_type thead th:nth-child(4)")
    heading.locator("button").click()
    assert heading.get_attribute("aria-sort") == "descending", "the best accuracy first"
    values = column(page, 4)
    assert values == sorted(values, reverse=True) and len(set(values)) > 3
    heading.locator("button").press("Enter")
    assert heading.get_attribute("aria-sort") == "ascending"
    assert column(page, 4) == sorted(values)


def test_the_filter_hides_other_rows(page):
    page.fill("input[type=search]", "height=64 batch_size=16")
    assert page.locator(f"{ROWS}:visible").count() == 1
    page.fill("input[type=search]", "")
    assert page.locator(f"{ROWS}:visible").count() == 12


def test_curves_tell_their_values_to_mouse_and_arrow_keys(page):
    tip = page.locator("#tip")
    assert tip.is_hidden()
    page.locator("#curves circle").nth(4).hover(force=True)
    assert "epoch" in tip.inner_text() and "resnet18" in tip.inner_text()
    chart = page.locator("#curves svg").first
    chart.focus()
    page.keyboard.press("ArrowRight")
    first = tip.inner_text()
    page.keyboard.press("ArrowRight")
    assert tip.inner_text() != first
    page.keyboard.press("Escape")
    assert tip.is_hidden()


def test_pictures_open_and_close_without_a_mouse(page):
    page.locator("#pictures summary").press("Enter")
    page.locator("#pictures button.thumb").first.press("Enter")
    assert page.locator("dialog").is_visible()
    assert page.locator("dialog img").evaluate("image => image.naturalWidth") > 0
    page.keyboard.press("Escape")
    assert page.locator("dialog").is_hidden()


@pytest.mark.parametrize("anchor", ["sources-of-error-0", "location", "importance"])
def test_new_charts_tell_their_values_to_mouse_and_keyboard(page, anchor):
    tip = page.locator("#tip")
    mark = page.locator(f"#{anchor} [data-tip]").first
    mark.scroll_into_view_if_needed()
    mark.hover(force=True)
    assert tip.is_visible()
    said = tip.inner_text()
    page.locator(f"#{anchor} svg").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert tip.is_visible() and tip.inner_text() != said


def test_what_networks_looked_at_opens_from_the_keyboard(page):
    page.locator("#looked button.thumb").nth(1).press("Enter")
    assert page.locator("dialog img").evaluate("image => image.naturalWidth") > 0
    assert "gradcam" in page.locator("dialog span").inner_text()
    page.keyboard.press("Escape")


def test_clustering_runs_are_tabled(page):
    assert "ARI with source_type" in page.locator("#others thead").inner_text()
    assert page.locator("#others tbody tr").count() == 1


def test_more_disagreements_unfold(page):
    hidden = page.locator("#disagree-0 details td.id").first
    assert not hidden.is_visible()
    page.locator("#disagree-0 summary").click()
    assert hidden.is_visible() and hidden.inner_text().startswith("event-")


def test_samples_on_which_groups_disagree_are_shown_and_open_from_the_keyboard(page):
    pictures = page.locator("#disagree-0 .sample img")
    assert pictures.count() > 4
    pictures.first.scroll_into_view_if_needed()
    assert pictures.first.evaluate("async image => (await image.decode(), image.naturalWidth)") == 24
    page.locator("#disagree-0 button.thumb").first.press("Enter")
    assert "event-" in page.locator("dialog span").inner_text()
    assert page.locator("dialog img").evaluate("image => image.naturalWidth") == 24
    page.keyboard.press("Escape")


def test_cells_tell_their_tips_without_a_mouse(page):
    tip = page.locator("#tip")
    cells = page.locator("table.confusion td[data-tip]")
    cells.first.focus()
    assert tip.is_visible() and "called" in tip.inner_text()
    said = tip.inner_text()
    page.keyboard.press("Tab")
    assert tip.is_visible() and tip.inner_text() != said, "the next cell"
    page.keyboard.press("Escape")
    assert tip.is_hidden()
    page.locator(f"{ROWS} th[data-tip]").first.focus()
    assert "optimizer.lr" in tip.inner_text()
    page.mouse.move(3, 3)
    assert tip.is_visible(), "a mouse that passes by does not take it away"


def test_markup_in_a_class_name_is_shown_as_text(page):
    assert page.locator("table.confusion th", has_text=SCRIPT).first.is_visible()
    assert page.locator("script").count() == 1


@pytest.mark.parametrize("width", [360, 800, 1600])
def test_the_page_never_scrolls_sideways(browser, report, width):
    opened = browser.new_page(viewport={"width": width, "height": 800})
    opened.goto(report.as_uri())
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    opened.close()


def test_dark_and_light_have_readable_text(browser, report):
    for scheme in ("light", "dark"):
        opened = browser.new_page(color_scheme=scheme)
        opened.goto(report.as_uri())
        for selector in ("body", ".soft"):
            ink, paper = opened.evaluate(
                "selector => [getComputedStyle(document.querySelector(selector)).color,"
                " getComputedStyle(document.body).backgroundColor]", selector
            )  # fmt: skip
            assert _contrast(ink, paper) > 4.5, (scheme, selector)
        opened.close()


def _contrast(*colours):
    """Contrast ratio of WCAG 2.1 of two CSS colours ``rgb(r, g, b)``."""
    light = []
    for colour in colours:
        channels = np.array([float(part) for part in colour.strip("rgb()").split(",")]) / 255
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        light.append(float(linear @ [0.2126, 0.7152, 0.0722]))
    return (max(light) + 0.05) / (min(light) + 0.05)
