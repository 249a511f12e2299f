"""Pictures of test samples: stored small by runs, shown where runs disagree."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from fake_runs import CLASS, SCALAR, fake_run

from seisvision.judging.figures_sources import picture_file
from seisvision.records.tables import write_table
from seisvision.records.thumbnails import MOST_CHARACTERS, read_thumbnails, write_thumbnails
from seisvision.reports.comparing.collect import collect
from seisvision.reports.comparing.groups import compare
from seisvision.reports.comparing.page import render_page


def decoded(text: str) -> np.ndarray:
    return matplotlib.image.imread(io.BytesIO(base64.b64decode(text)), format="jpeg")


def gallery_of(top: Path) -> str:
    page = render_page(compare(*collect([str(top)])))
    found = re.search(r'<section id="disagree-0">(.*?)</section>', page, re.DOTALL)
    assert found is not None
    return found[1]


def two_runs(top: Path, about: dict = CLASS) -> list[Path]:
    return [fake_run(top / str(i), {"optimizer.lr": 0.1**i}, about=about, skill=0.2 + 0.5 * i) for i in range(2)]


def test_pictures_come_back_smaller_and_look_the_same(tmp_path: Path) -> None:
    ramp = np.broadcast_to(np.linspace(0, 255, 300).astype(np.uint8), (3, 200, 300))
    path = write_thumbnails(tmp_path / "t.json", [("000123", ramp), ("b", ramp[:, :40, :60])])
    found = read_thumbnails(path)
    assert list(found) == ["000123", "b"]
    first = decoded(found["000123"])
    assert first.shape == (66, 100, 3), "averaged over squares of three"
    assert np.abs(first[30, :, 0].astype(float) - np.linspace(0, 255, 100)).max() < 8
    assert decoded(found["b"]).shape == (40, 60, 3)


def test_a_file_stays_within_its_size_and_keeps_the_first(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    many = [(f"event-{i}", rng.integers(0, 255, (3, 128, 128), np.uint8)) for i in range(60)]
    path = write_thumbnails(tmp_path / "t.json", many)
    found = read_thumbnails(path)
    assert path.stat().st_size < 1.05 * MOST_CHARACTERS and 5 < len(found) < 60
    assert list(found) == [name for name, _ in many[: len(found)]]


@pytest.mark.parametrize("content", ["", "[1]", '{"pictures": 3}', '{"pictures": {"a": 1, "b": "<svg>", "c": "YWJj"}}'])
def test_what_is_no_picture_is_not_read(content: str, tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text(content)
    assert read_thumbnails(tmp_path / "t.json") == {} == read_thumbnails(tmp_path / "missing.json")


@pytest.mark.parametrize("about", [CLASS, SCALAR], ids=["class", "scalar"])
def test_the_gallery_shows_the_sample_that_it_names(about: dict, tmp_path: Path) -> None:
    first, second = two_runs(tmp_path, about)
    # Shades tell samples apart; each run keeps some of them only.
    shades = {f"event-{i:04d}": 4 * i for i in range(60)}
    for folder, odd in ((first, 1), (second, 0)):
        kept = [
            (name, np.full((3, 8, 8), shade, np.uint8))
            for i, (name, shade) in enumerate(shades.items())
            if i % 2 == odd
        ]
        write_thumbnails(folder / "figures" / "thumbnails_test.json", kept)
    cards = gallery_of(tmp_path).split("<figure")[1:]
    assert 2 <= len(cards) <= 40
    for card in cards:
        (name,) = re.findall(r'<td class="id" colspan="2"><code>(.*?)</code>', card)
        (text,) = re.findall(r'src="data:image/jpeg;base64,([^"]*)"', card)
        assert abs(float(decoded(text).mean()) - shades[name]) < 3
        saw = "B" if int(name.removeprefix("event-")) % 2 == 1 else "A"
        assert f"as {saw} saw it" in card and card.count("<tr>") == 4


def test_runs_without_thumbnails_show_the_pictures_of_their_table_and_no_other_file(tmp_path: Path) -> None:
    secret = picture_file(tmp_path / "secret.png", np.full((3, 8, 8), 9, np.uint8))
    runs = two_runs(tmp_path / "runs")
    for folder in runs:
        picture_file(folder / "figures" / "samples" / "a.png", np.full((3, 8, 8), 200, np.uint8))
        rows = [[f"event-{i:04d}", f"event-{i:04d}", f"../figures/samples/{'a' if i % 2 else '../../../../secret'}.png"]
                for i in range(60)]  # fmt: skip
        write_table(folder / "tables" / "source_type_test_samples.csv", ["event", "sample", "picture"], rows)
    found = gallery_of(tmp_path / "runs")
    assert "data:image/png;base64," in found and "no picture stored" in found
    assert base64.b64encode(secret.read_bytes()).decode() not in found


def test_no_run_with_pictures_still_lists_the_samples(tmp_path: Path) -> None:
    for folder in two_runs(tmp_path):
        (folder / "figures").mkdir()
        (folder / "figures" / "thumbnails_test.json").write_text(
            json.dumps({"pictures": {"event-0001": 'x" onerror='}})
        )
    found = gallery_of(tmp_path)
    assert "<img" not in found and "onerror" not in found and found.count("no picture stored") == found.count("<figure")
