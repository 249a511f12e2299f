"""What configurations are called in a comparison: the network and what differs, not what was typed."""

from __future__ import annotations

import contextlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from seisvision.reports.comparing.collect import ComparedRun

MISSING = "(not set)"
NAMED_SETTINGS = 4


class Named(Protocol):
    """What is given a letter and a name: runs of one configuration."""

    label: str
    name: str
    differing: dict[str, Any]

    @property
    def first(self) -> ComparedRun:
        """The run that stands for the others."""
        ...


def name_groups(groups: Sequence[Named]) -> None:
    """Give every group its letter and its name: the model and the rarest of the settings that differ.

    Where several settings of a section differ because another choice was made there, the choice is named
    (``view=stack``). Where that tells two groups not apart, more settings follow, at last the run id.
    """
    words = [_words(group, _choices(groups)) for group in groups]
    counts = Counter(word for some in words for word in some)
    for number, (group, some) in enumerate(zip(groups, words, strict=True)):
        group.label = chr(ord("A") + number) if number < 26 else str(number + 1)
        rarest = sorted(some, key=lambda word: counts[word])[:NAMED_SETTINGS]
        group.name = " ".join([str(group.first.training["model"]), *map(_short, rarest)])
    for group in _namesakes(groups):
        named = group.name.split(" ")
        said = [_short(f"{key}={value}") for key, value in group.differing.items()]
        group.name = " ".join([group.name, *[word for word in said if word not in named][:NAMED_SETTINGS]])
    for group in _namesakes(groups):
        group.name = f"{group.name} ({Path(group.first.path).name})"
    for group in _namesakes(groups):
        group.name = f"{group.name} {group.label}"


def _choices(groups: Sequence[Named]) -> dict[str, list[str]]:
    """Sections in which several settings differ and another choice was typed, with the choice of each group."""
    keys_of = Counter(key.partition(".")[0] for key in (groups[0].differing if groups else ()))
    choices = {}
    for section, n_keys in keys_of.items():
        typed = [_typed(group, section) for group in groups]
        if n_keys > 1 and len(set(typed)) > 1:
            choices[section] = typed
    return {
        section: typed
        for section, typed in choices.items()
        # A choice says it all only where groups of the same choice agree on the whole section.
        if all(len(values) == 1 for values in _by_choice(groups, section, typed).values())
    }


def _by_choice(groups: Sequence[Named], section: str, typed: Sequence[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for group, word in zip(groups, typed, strict=True):
        found[word].add(repr([value for key, value in group.differing.items() if key.partition(".")[0] == section]))
    return found


def _typed(group: Named, section: str) -> str:
    """The last word that chose a section, such as ``view=stack``; empty where it is the default."""
    return next((word for word in reversed(group.first.overrides) if word.startswith(f"{section}=")), "")


def _words(group: Named, choices: dict[str, list[str]]) -> list[str]:
    words = []
    for key, value in group.differing.items():
        section = key.partition(".")[0]
        if section in choices:
            words.append(_typed(group, section))
        elif section != "model" and value != MISSING:
            words.append(f"{key}={value}")
    return [word for word in dict.fromkeys(words) if word]


def _namesakes(groups: Sequence[Named]) -> list[Named]:
    counts = Counter(group.name for group in groups)
    return [group for group in groups if counts[group.name] > 1]


def _short(setting: str) -> str:
    """``lr=0.1`` for ``optimizer.lr=0.1``; the table of settings has the whole key."""
    key, equals, value = setting.partition("=")
    with contextlib.suppress(ValueError):
        value = f"{float(value):.4g}" if len(value) > 6 else value
    return f"{key.rpartition('.')[2]}{equals}{value}"
