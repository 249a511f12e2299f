import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from matplotlib import image as png
from matplotlib.figure import Figure

from seisvision.errors import DataError
from seisvision.evaluation.figures import learning_figure, plain_text, samples_figure
from seisvision.outputs.classes.figures import confusion_figure, reliability_figure

ODD_NAMES = ["a$_x$", "$\\frac{", "x" * 200, "<b>\n\x00"]


def drawn(path: Path | None) -> np.ndarray:
    """Pixels of a PNG that must be alone in its folder and hold more than white."""
    assert path is not None and list(path.parent.iterdir()) == [path]
    pixels = png.imread(path)
    assert pixels.shape[0] > 100 and (pixels[..., :3] < 0.5).any()
    return pixels


def test_confusion_figure_survives_odd_names_and_absent_classes(tmp_path: Path) -> None:
    confusion = [[5, 1, 0, 0], [0, 0, 0, 0], [2, 0, 7, 1], [0, 0, 0, 3]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn(confusion_figure(tmp_path / "confusion.png", confusion, ODD_NAMES))


def test_figures_replace_older_ones(tmp_path: Path) -> None:
    path = tmp_path / "confusion.png"
    first = drawn(confusion_figure(path, [[9, 0], [0, 9]], ["a", "b"]))
    second = drawn(confusion_figure(path, [[0, 9], [9, 0]], ["a", "b"]))
    assert not np.array_equal(first, second)


def test_reliability_figure(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    positive = rng.random(80)
    target = (rng.random(80) < positive).astype(int)
    target[:5] = -1
    drawn(reliability_figure(tmp_path / "reliability.png", target, np.stack([1 - positive, positive], axis=1)))


def test_learning_figure_reads_logged_cells(tmp_path: Path) -> None:
    rows = [
        {"epoch": "0", "step": "9", "train/loss": "0.9", "val/loss": ""},
        {"epoch": "0", "step": "9", "train/loss": "", "val/loss": "1.0", "val/accuracy": "0.5"},
        {"epoch": 1, "step": 19, "train/loss": 0.5, "val/loss": float("nan"), "val/accuracy": None},
        {"epoch": "", "step": "", "lr": "0.1"},
    ]
    two_panels = drawn(learning_figure(tmp_path / "curves.png", rows))
    one_panel = drawn(learning_figure(tmp_path / "curves.png", rows, ["loss"]))
    assert two_panels.shape[1] > 1.8 * one_panel.shape[1]


def test_the_first_epoch_is_1_as_in_the_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures: list[Figure] = []
    monkeypatch.setattr("seisvision.evaluation.figures.save_figure", lambda figure, path: figures.append(figure))
    learning_figure(tmp_path / "curves.png", [{"epoch": epoch, "val/loss": 1.0 / (epoch + 1)} for epoch in range(3)])
    (axes,) = [panel for panel in figures[0].axes if panel.lines]
    assert list(axes.lines[0].get_xdata()) == [1, 2, 3]


@pytest.mark.parametrize("rows", [[], [{"epoch": 0, "lr": 0.1}], [{"val/loss": 1.0}]])
def test_learning_figure_without_numbers_is_refused(rows: list[dict[str, float]], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing to draw"):
        learning_figure(tmp_path / "curves.png", rows)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_contact_sheets_take_any_number_of_channels(channels: int, kind: type, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 255, (6, channels, 20, 30)).astype(kind)
    drawn(samples_figure(tmp_path / "seen.png", images, [*map(plain_text, ODD_NAMES), "two\nlines", "e"]))


def test_samples_need_a_caption_each(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 255, (6, 3, 20, 30)).astype(np.uint8)
    drawn(
        samples_figure(tmp_path / "seen.png", images, [f"{plain_text(name)}\ntwo" for name in [*ODD_NAMES, "$", "e"]])
    )
    with pytest.raises(DataError, match="6 pictures and 1 captions"):
        samples_figure(tmp_path / "seen.png", images, ["a"])
    with pytest.raises(DataError, match="0 pictures"):
        samples_figure(tmp_path / "seen.png", [], [])


def test_a_flat_picture_can_be_shown(tmp_path: Path) -> None:
    samples_figure(tmp_path / "seen.png", np.zeros((1, 1, 8, 8), np.float32), ["a"])
    assert (tmp_path / "seen.png").is_file()


def test_text_from_data_is_one_short_line() -> None:
    assert plain_text("a\nb$") == r"a b\$"
    assert len(plain_text("x" * 100)) == 28


def test_importing_what_measures_is_cheap() -> None:
    modules = (
        "evaluation.intervals, picking.s_minus_p, evaluation.tables, evaluation.figures, "
        "judging.stored_baselines, judging.baselines, outputs.kinds, outputs.averaging, "
        "outputs.regression_figures, outputs.classes.predictions, outputs.numbers.predictions, "
        "outputs.angles.predictions, outputs.classes.figures"
    )
    heavy = "torch, matplotlib, sklearn, obspy, h5py, pandas, hydra"
    code = f"""
import importlib, sys
for module in {modules!r}.split(", "):
    importlib.import_module("seisvision." + module)
print([name for name in {heavy.split(", ")!r} if name in sys.modules])
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
