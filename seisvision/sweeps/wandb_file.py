"""Presets of ``conf/sweep`` as sweep files of Weights & Biases."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from seisvision.errors import ConfigurationError
from seisvision.records.configuration import with_derived_classes
from seisvision.sweeps.plan import is_whole_interval, read_plan

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

COMMAND = ["${env}", "${interpreter}", "${program}"]
"""What the agent runs; ``${args_no_hyphens}``, the values it chose as ``key=value``, comes last."""


def wandb_sweep(preset: Path, overrides: Sequence[str], method: str | None = None) -> str:
    """The text of a sweep file.

    Args:
        preset: a file of ``conf/sweep``.
        overrides: further settings, in Hydra's syntax; they win over the preset's.
        method: ``grid``, ``random`` or ``bayes``; default ``grid``, or ``bayes`` where an interval is swept.

    Raises:
        ConfigurationError: the preset cannot be read, pairs values, has nothing to sweep, or the method cannot do it.
    """
    config = _compose(preset, overrides)
    settings = config["sweep"]
    if settings.get("paired"):
        raise ConfigurationError("W&B has no paired sweeps; give the combinations to train.py -m sweep=paired instead.")
    plan = read_plan([*overrides, "logger=wandb"], settings["over"] or {})
    if not plan.swept:
        raise ConfigurationError(f"{preset} and what was typed sweep nothing; add a key with values, such as seed=1,2.")
    parameters = {one.get_key_element(): _parameter(one) for one in plan.swept.values()}
    is_continuous = any("values" not in parameter for parameter in parameters.values())
    method = method or ("bayes" if is_continuous else "grid")
    if method == "grid" and is_continuous:
        raise ConfigurationError("--method grid cannot go over an interval; give values, or --method bayes or random.")
    name, mode = config["task"]["monitor"]
    content = {
        "program": "train.py",
        "name": f"{config['name']}-{preset.stem}",
        "project": config["logger"]["wandb"]["project"],
        "method": method,
        "metric": {"name": name, "goal": "maximize" if mode == "max" else "minimize"},
        "parameters": parameters,
        "command": [*COMMAND, *plan.fixed, "${args_no_hyphens}"],
    }
    return yaml.safe_dump(content, sort_keys=False, width=1000)


def _compose(preset: Path, overrides: Sequence[str]) -> dict[str, Any]:
    """The configuration that the preset goes over, with the first value of everything that is swept."""
    from hydra import compose, initialize_config_dir
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from omegaconf import OmegaConf

    conf = preset.resolve().parents[1] if preset.suffix == ".yaml" and preset.is_file() else None
    if conf is None or preset.resolve().parent.name != "sweep" or not (conf / "train.yaml").exists():
        raise ConfigurationError(f"'{preset}' is no preset; give a file of conf/sweep, such as conf/sweep/seeds.yaml.")
    fixed = [one.input_line for one in OverridesParser.create().parse_overrides(list(overrides))
             if not one.is_sweep_override()]  # fmt: skip
    with initialize_config_dir(str(conf), version_base="1.3"):
        composed = compose("train", overrides=[*map(str, fixed), "logger=wandb", f"sweep={preset.stem}"])
    composed = with_derived_classes(composed)
    parts = {key: OmegaConf.to_container(composed[key], resolve=True) for key in ("task", "sweep", "logger")}
    return {"name": str(composed["name"]), **parts}


def _parameter(override: Override) -> dict[str, Any]:
    """A swept setting in the words of W&B."""
    value: Any = override.value()
    if not override.is_interval_sweep():
        return {"values": [_plain(one) for one in override.sweep_string_iterator()]}
    low, high = value.start, value.end
    if is_whole_interval(override):
        if "log" in value.tags:
            return {"distribution": "q_log_uniform_values", "q": 1, "min": low, "max": high}
        return {"distribution": "int_uniform", "min": low, "max": high}
    kind = "log_uniform_values" if "log" in value.tags else "uniform"
    return {"distribution": kind, "min": float(low), "max": float(high)}


def _plain(text: str) -> Any:
    """A number as a number, for charts; the agent writes everything else as Hydra reads it."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
