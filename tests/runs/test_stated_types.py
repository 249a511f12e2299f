"""Types of settings, read from the source of our classes, are those that their signatures state."""

from __future__ import annotations

import inspect
import typing
from typing import Any

import pytest
from tiny_runs import plain_config

from seisvision.errors import ConfigurationError
from seisvision.public import NAMES, find_public
from seisvision.records.trust.stated import stated_types


def test_types_read_from_source_are_those_of_the_signature() -> None:
    seen = 0
    for name in sorted({name for named in NAMES.values() for name in named}):
        stated = stated_types(name)
        if not stated:
            continue
        build = find_public(name)
        hints: dict[str, Any] = typing.get_type_hints(build.__init__ if inspect.isclass(build) else build)
        assert {key: hints[key] for key in stated} == stated, name
        seen += len(stated)
    assert seen > 200


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("model.pretrained=maybe", "model.pretrained='maybe' is not allowed; TimmBackbone takes bool"),
        ("augment.noise_fraction=loud", "augment.noise_fraction='loud' is not allowed; .* takes float"),
        ("+task.outputs.source_type.weight=heavy", "weight=.heavy. is not allowed; ClassOutput takes float"),
    ],
)
def test_values_of_another_type_are_refused_when_words_are_composed(word: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        plain_config([word])
