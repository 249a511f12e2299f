"""The runs that a learning curve is made of, and what is said of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from seisvision.errors import CheckpointError, ConfigurationError, DataError
from seisvision.evaluation.differences import mean_influence
from seisvision.evaluation.intervals import Measure
from seisvision.experiments.supervised.transfer import curve
from seisvision.experiments.supervised.transfer.curve import WAYS, Asked, Point, describe_curve, difference, do_curve
from seisvision.experiments.supervised.transfer.figures import draw_curve
from seisvision.records.checkpoint import find_checkpoint

pytestmark = pytest.mark.whole_figures

EVENTS = [f"event{number}" for number in range(30)]


def point(way: str, share: float, seed: int, right: float, names: Sequence[str] = EVENTS) -> Point:
    hits = np.arange(len(names)) < right * len(names)
    metrics = {
        "outputs": [{"name": "kind"}],
        "data": {"events": {"train": 100 * share, "val": 20 * share}},
        "test": {"kind": {"accuracy": Measure.proportion(int(hits.sum()), len(names)).to_dict()}},
        "strongest_baseline": {"kind": {"name": "forest"}} if way == "scratch" else {},
        "baselines": {"kind": {"forest": {"test": {"accuracy": Measure(0.8).to_dict()}}}},
    }
    folder: Any = SimpleNamespace(path=Path("run"))
    return Point(way, share, seed, folder, metrics, mean_influence(hits.astype(float), names), "accuracy")


def test_few_events_have_the_steps_of_many_within_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    typed: list[list[str]] = []

    def compose(words: Sequence[str]) -> dict[str, Any]:
        typed.append(list(words))
        return {"trainer": {"max_epochs": 10, "early_stopping_patience": 4}}

    monkeypatch.setattr(curve, "ensure_run", lambda config, words: None)
    monkeypatch.setattr(
        curve, "_point", lambda way, share, seed, *rest: SimpleNamespace(way=way, share=share, seed=seed)
    )
    done = do_curve(Asked(["experiment=x"], Path("net"), WAYS, [0.05, 0.5, 1.0], [1, 2], longest=5), compose)
    assert len(done) == 18 and len(set(map(str, done))) == 18
    assert [one.way for one in done[:3]] == list(WAYS) and [one.seed for one in done[:6]] == [1, 1, 1, 2, 2, 2]
    asked_first, typed = typed[1:4], typed[4:]
    assert [any(word == "init_from=net" for word in words) for words in asked_first] == [False, True, True]
    runs = {tuple(words) for words in typed}
    assert len(runs) == 18
    assert "init_from=net" in typed[0], "a network that does not fit is told by the first run"
    few = next(words for words in typed if "split.share=0.05" in words and "init_from=net" not in words)
    assert {"trainer.max_epochs=50", "trainer.early_stopping_patience=20", "split.share_seed=1"} <= set(few)
    assert not any("init_from" in word for word in few)
    whole = [words for words in typed if not any(word.startswith("split.share") for word in words)]
    assert len(whole) == 6 and not any("max_epochs" in word for words in whole for word in words)
    probe = next(words for words in whole if "fine_tune.frozen=backbone" in words)
    assert "init_from=net" in probe and "evaluation.baselines=false" in probe


def test_a_network_that_is_not_there_is_told_before_anything_is_trained(tmp_path: Path) -> None:
    """Whatever the way, and with the words that were typed."""
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)

    def compose(words: Sequence[str]) -> dict[str, Any]:
        for word in words:
            if word.startswith("init_from="):
                find_checkpoint(word.removeprefix("init_from="))
        return {"trainer": {"max_epochs": 10}}

    def train(*_: Any) -> None:
        raise AssertionError("trained before the network was looked for")

    with (
        pytest.MonkeyPatch.context() as patch,
        pytest.raises(CheckpointError, match=r"holds no checkpoints/best\.ckpt"),
    ):
        patch.setattr(curve, "ensure_run", train)
        do_curve(Asked(["experiment=x"], tmp_path / "run", WAYS, [0.05], [1]), compose)


def test_what_begins_with_a_network_is_compared_with_scratch(tmp_path: Path) -> None:
    points = [point(way, share, seed, right + 0.04 * seed) for share in (0.1, 1.0) for seed in (1, 2, 3)
              for way, right in (("scratch", 0.5), ("tuned", 0.8))]  # fmt: skip
    found = difference(points, "tuned", "scratch", 0.1)
    assert found is not None and found.is_of_models
    assert found.value == pytest.approx(0.3, abs=0.02) and found.interval()[0] > 0
    text = describe_curve(points, Measure(0.4))
    assert "as it is  0 %" in text and "80.0 % (forest)" in text and "3 seeds" in text
    assert draw_curve(tmp_path / "curve.png", points, Measure(0.4)).stat().st_size > 5000


def test_other_test_events_are_refused() -> None:
    points = [point("scratch", 1, 1, 0.5), point("tuned", 1, 1, 0.5, EVENTS[:20])]
    with pytest.raises(DataError, match="different events"):
        difference(points, "tuned", "scratch", 1)


@pytest.mark.parametrize("settings", [{"shares": [0.0]}, {"seeds": []}, {"longest": 0.5}])
def test_what_is_not_allowed_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="not allowed"):
        Asked(**{"words": [], "network": Path("net"), "ways": WAYS, "shares": [1.0], "seeds": [1]} | settings)
