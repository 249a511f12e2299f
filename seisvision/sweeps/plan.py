"""What a sweep was asked for: settings that all points share, and values to go over, in Hydra's own syntax."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from seisvision.errors import ConfigurationError, did_you_mean

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

OWN_GROUPS = ("sweep", "launcher")
"""Groups that say how points are made and done; they are no settings of a point."""
ALL = "all"
"""Value of ``sweep.paired`` that pairs every key."""


@dataclass(frozen=True)
class Plan:
    """Settings of a sweep.

    Args:
        fixed: overrides that every point has.
        swept: parsed overrides with several values, by key.
    """

    fixed: list[str]
    swept: dict[str, Override]

    def typed(self) -> list[str]:
        """All settings as they would be typed."""
        return [*self.fixed, *(str(one.input_line) for one in self.swept.values())]


def read_plan(typed: Sequence[str], over: Mapping[str, Any], config_loader: Any = None) -> Plan:
    """Sort what was typed, and what a preset brings, into fixed and swept settings; what was typed wins.

    Args:
        typed: overrides of the command line.
        over: ``sweep.over`` of a preset: values by key, as a list or in Hydra's syntax.
        config_loader: of Hydra, for ``glob(...)``.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parser = OverridesParser.create(config_loader=config_loader)
    brought = [f"{key}={_hydra_values(values)}" for key, values in over.items()]
    chosen: dict[str, Override] = {}
    for override in parser.parse_overrides([*brought, *typed]):
        key = override.key_or_group
        if key.split(".")[0].split("/")[0] not in OWN_GROUPS:
            # '~key' before '+key={...}' puts one mapping in the place of another: both are meant.
            chosen[f"~{key}" if override.is_delete() else key] = override
    fixed = [str(one.input_line) for one in chosen.values() if not one.is_sweep_override()]
    return Plan(fixed, {key: one for key, one in chosen.items() if one.is_sweep_override()})


def grid_points(plan: Plan, paired: Sequence[str] | str = ()) -> list[list[str]]:
    """Overrides of every point: all combinations of the values, the last key fastest.

    Args:
        plan: fixed and swept settings; every swept one a list of values or a range.
        paired: keys whose values go together, the first with the first; ``all`` for every key.

    Raises:
        ConfigurationError: a paired key is not swept, paired keys have different numbers of values, or a key has an
            interval, which only a search can go over.
    """
    values = {key: _discrete_values(key, one) for key, one in plan.swept.items()}
    together = list(values) if paired == ALL else list(paired)
    for key in together:
        if key not in values:
            raise ConfigurationError(f"sweep.paired names '{key}', which has no values. {did_you_mean(key, [*values])}")
    counts = {key: len(values[key]) for key in together}
    if len(set(counts.values())) > 1:
        said = ", ".join(f"{key} has {count}" for key, count in counts.items())
        raise ConfigurationError(f"Paired keys need as many values each, but {said}. Give each the same number.")
    axes = [[[value] for value in found] for key, found in values.items() if key not in together]
    if together:
        axes.insert(0, [list(row) for row in zip(*(values[key] for key in together), strict=True)])
    return [[*plan.fixed, *itertools.chain.from_iterable(point)] for point in itertools.product(*axes)]


def is_whole_interval(override: Override) -> bool:
    """Whether an interval was written as ``int(interval(1,10))``; one that was not may take any number between."""
    value: Any = override.value()
    return "int(" in str(override.input_line) and isinstance(value.start, int) and isinstance(value.end, int)


def _discrete_values(key: str, override: Override) -> list[str]:
    if not override.is_discrete_sweep():
        raise ConfigurationError(
            f"{override.input_line} is an interval, which a grid cannot go over. Give values ({key}=a,b), a range "
            f"({key}=range(1,5)), or search with sweep=optuna."
        )
    return [f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator()]


def _hydra_values(values: Any) -> str:
    """A preset's values as they would be typed; a string is in Hydra's syntax already."""
    return ",".join(map(_hydra_value, values)) if isinstance(values, list) else _hydra_value(values)


def _hydra_value(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list):
        return f"[{','.join(map(_hydra_value, value))}]"
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{key}:{_hydra_value(one)}' for key, one in value.items())}}}"
    return str(value)
