"""Experiments composed as ``train.py`` composes them, for Python and for commands that take its words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import seisvision
from seisvision.errors import ConfigurationError
from seisvision.records.configuration import to_plain
from seisvision.records.words.own_sets import with_own_sets
from seisvision.records.words.quoting import quoted_paths
from seisvision.secrets_kept import refuse_secret_words

CONF = Path(seisvision.__file__).resolve().parents[1] / "conf"
"""The folder of configuration beside the code; an installed package without its repository has none."""


NO_GROUPS = ("atlas", "import", "fetch", "local", "tuned")
"""Folders of it that ``train.py`` does not compose."""


def compose_experiment(overrides: Sequence[str], config_name: str = "train") -> dict[str, Any]:
    """The resolved configuration that the words of a command line describe.

    Args:
        overrides: such as ``model=resnet50``.
        config_name: file in ``conf/``.

    Raises:
        ConfigurationError: ``conf/`` is not there, or a word is not allowed.
        HydraException: a setting or choice does not exist; :mod:`seisvision.runs.terminal` tells it in plain words.
    """
    from hydra import compose, initialize_config_dir

    _check(overrides, config_name)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return to_plain(compose(config_name, overrides=quoted_paths(with_own_sets(overrides, CONF))))


def choices_of(overrides: Sequence[str], config_name: str = "train") -> tuple[dict[str, Any], dict[str, str]]:
    """What the words compose, before it is resolved and checked, and the choice in each group.

    Raises:
        ConfigurationError: as :func:`compose_experiment`.
    """
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    _check(overrides, config_name)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        composed = compose(
            config_name, overrides=quoted_paths(with_own_sets(overrides, CONF)), return_hydra_config=True
        )
    chosen = composed.hydra.runtime.choices
    choices = {
        str(group): str(choice) for group, choice in chosen.items() if choice and not str(group).startswith("hydra")
    }
    plain: Any = OmegaConf.to_container(composed, resolve=False)
    plain.pop("hydra")
    return plain, choices


def groups() -> dict[str, list[str]]:
    """Choices of every group of ``train.py``."""
    found: dict[str, list[str]] = {}
    for path in sorted(CONF.glob("*/**/*.yaml")):
        group = path.parent.relative_to(CONF).as_posix()
        if group.split("/")[0] not in NO_GROUPS and not path.stem.startswith("_"):
            found.setdefault(group, []).append(path.stem)
    return found


def _check(overrides: Sequence[str], config_name: str) -> None:
    if not (CONF / f"{config_name}.yaml").is_file():
        raise ConfigurationError(
            f"{CONF} holds no {config_name}.yaml: experiments are described by files beside the code. Install "
            "seisvision from a clone of its repository (pip install -e .)."
        )
    refuse_secret_words(list(overrides))
    for word in overrides:
        if word.lstrip("+~").startswith("hydra"):
            raise ConfigurationError(f"{word.partition('=')[0]} is a setting of Hydra's own; leave it to train.py.")
        if word.startswith("-") or not ("=" in word or word.startswith("~")):
            raise ConfigurationError(f"'{word}' is no setting; give words such as 'model=resnet50'.")
