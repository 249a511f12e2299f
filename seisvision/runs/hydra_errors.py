"""What is wrong with the words of an experiment that Hydra cannot compose, in plain words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seisvision.errors import did_you_mean
from seisvision.records.words.quoting import explain_grammar


def explain_hydra(error: Exception, config_name: str, conf: Path, words: Sequence[str]) -> str | None:
    """Say what is wrong with words that Hydra cannot compose; None for other errors.

    Args:
        error: what was raised.
        config_name: root configuration, for suggestions where a key is misspelt.
        conf: folder of the configuration.
        words: that were given.
    """
    from hydra.errors import (
        ConfigCompositionException,
        HydraException,
        MissingConfigException,
        OverrideParseException,
    )
    from omegaconf.errors import OmegaConfBaseException

    if isinstance(error, MissingConfigException) and error.options is not None and error.missing_cfg_file:
        group, _, choice = error.missing_cfg_file.rpartition("/")
        # What begins with _ is a part of others.
        options = [option for option in error.options if not option.startswith("_")]
        return f"{group}={choice} does not exist. {did_you_mean(choice, options)}"
    if isinstance(error, OverrideParseException):
        return explain_grammar(error.override, str(error))
    if isinstance(error, ConfigCompositionException):
        return _explain_override(error, config_name, conf, words)
    if isinstance(error, HydraException | OmegaConfBaseException):
        return " ".join(line.strip() for line in str(error).strip().splitlines()[:2])
    return None


def _explain_override(error: Exception, config_name: str, conf: Path, words: Sequence[str]) -> str:
    """Suggest the key that was probably meant."""
    from seisvision.records.configuration import MOVED, OUTPUTS_BY_NAME, moved

    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    key = re.match(r"Could not override '(.+)'", lines[0])
    if key is None:
        said = " ".join(line for line in lines if not line.startswith(("See ", "Set the environment")))
        return f"{said}. {OUTPUTS_BY_NAME}" if "task.outputs=" in said or "with ListConfig" in said else said
    if key[1] in MOVED:
        return moved(key[1])
    node, parents = _composed_without(key[1], config_name, conf, words), []
    for name in key[1].split("."):
        if not isinstance(node, Mapping) or name not in node:
            break
        node = node[name]
        parents.append(name)
    else:
        return _explain_mapping(key[1], node)
    where = f"'{'.'.join(parents)}'" if parents else "the configuration"
    allowed = [str(choice) for choice in node] if isinstance(node, Mapping) else []
    return f"'{key[1]}' is not a setting: there is no '{name}' in {where}. {did_you_mean(name, allowed)}"


def _explain_mapping(key: str, node: Any) -> str:
    """Say how a mapping that is there already is given other keys: Hydra lets braces change values alone."""
    held = f"holds {', '.join(map(str, node))}" if isinstance(node, Mapping) else f"is {node}"
    return (
        f"'{key}' {held}, and what is given for it would add other keys. To put another mapping in its place, give "
        f"'~{key}' and '+{key}={{...}}'; to add keys, '+{key}.NAME=VALUE'."
    )


def _composed_without(key: str, config_name: str, conf: Path, words: Sequence[str]) -> Any:
    """The configuration that the other words compose; empty where that fails as well."""
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    overrides = [word for word in words if "=" in word and not word.startswith(("-", f"{key}="))]
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(conf), version_base="1.3"):
            return compose(config_name, overrides=overrides)
    except Exception:
        return {}
