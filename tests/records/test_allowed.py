"""Words of settings are refused before torch is imported, and by the same list as their readers have."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from lightning_fabric.connector import _PRECISION_INPUT

from seisvision.clustering.kmeans import BACKENDS
from seisvision.data.samples.events import STATION_CHOICES
from seisvision.data.samples.window import REFERENCES
from seisvision.errors import ConfigurationError
from seisvision.experiments.supervised import explaining, uncertainty
from seisvision.experiments.supervised.single import SINGLE
from seisvision.location.choices import MODES
from seisvision.models.fronts import FRONTS
from seisvision.records.known_events import HANDLINGS
from seisvision.records.trust.allowed import NEEDED, TEXTS, WORDS, check_texts, check_words
from seisvision.records.trust.stated import check_stated, stated_words
from seisvision.runs.speed import COMPILE_MODES
from seisvision.runs.trainers import STRATEGIES
from seisvision.tasks.fine_tuning import OTHERS, PARTS


def nested(key: str, value: Any) -> dict[str, Any]:
    for name in reversed(key.split(".")):
        value = {name: value}
    return value


def precisions() -> set[Any]:
    kinds = [kind for some in get_args(_PRECISION_INPUT) for kind in (get_args(some) or [some])]
    return set(kinds)


@pytest.mark.parametrize("key", WORDS)
def test_words_that_no_reader_knows_are_refused_by_name(key: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{key}=planet is not allowed. .*{str(WORDS[key][-1]).lower()}"):
        check_words(nested(key, "planet"))
    for word in (*WORDS[key], None):
        check_words(nested(key, word))


def test_near_misses_are_told_and_one_is_not_true() -> None:
    with pytest.raises(ConfigurationError, match="Did you mean 'ddp'"):
        check_words(nested("trainer.strategy", "dpp"))
    with pytest.raises(ConfigurationError, match=r"system\.compile=1 is not allowed"):
        check_words(nested("system.compile", 1))


@pytest.mark.parametrize(
    ("key", "taken"),
    [
        ("dataset.samples.station_choice", STATION_CHOICES),
        ("dataset.samples.window.reference", REFERENCES),
        ("dataset.traces.window.reference", REFERENCES),
        ("explain.method", explaining.METHODS),
        ("fine_tune.others", OTHERS),
        ("fine_tune.parts", PARTS),
        ("location.mode", (*MODES, SINGLE)),
        ("system.compile", (True, False, *COMPILE_MODES)),
        ("trainer.strategy", STRATEGIES),
        ("training_events", HANDLINGS),
        ("uncertainty.method", uncertainty.METHODS),
    ],
)
def test_the_words_are_those_of_the_reader(key: str, taken: tuple[Any, ...]) -> None:
    assert set(WORDS[key]) == set(taken)


@pytest.mark.parametrize("key", TEXTS)
def test_numbers_in_the_place_of_paths_and_names(key: str) -> None:
    for wrong in (-7.5, 3, True, {"a": 1}, [1] if key == "ckpt" else ["a"]):
        with pytest.raises(ConfigurationError, match=rf"{key}=.* is not allowed; give (a path|the name)"):
            check_texts(nested(key, wrong))
    check_texts(nested(key, "7"))
    if key in NEEDED:
        with pytest.raises(ConfigurationError, match=f"{key}=null is not allowed; give a path"):
            check_texts(nested(key, None))
    else:
        check_texts(nested(key, None))


def test_an_ensemble_is_a_list_of_paths() -> None:
    check_texts({"ckpt": ["a", "b"]})


def test_words_of_a_task_hold_for_that_task_alone() -> None:
    task = "seisvision.tasks.DeepClusterTask"
    assert {key: set(words) for key, words in stated_words(task).items()} == {
        "backend": {*BACKENDS},
        "front": {*FRONTS},
    }
    for setting in ("backend", "front"):
        with pytest.raises(ConfigurationError, match=rf"task\.{setting}='numpy' is not allowed"):
            check_stated([("task", {"_target_": task, setting: "numpy"})])
        check_stated([("task", {"_target_": "ones_own.Task", setting: "numpy"})])
        check_words(nested(f"task.{setting}", "numpy"))


def test_precisions_are_those_of_lightning() -> None:
    assert set(WORDS["trainer.precision"]) == precisions()
