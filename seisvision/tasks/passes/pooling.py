"""Several passes as one answer: decoded one by one, then pooled in the way of each kind of output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np
import torch

from seisvision.base.units import unit_named
from seisvision.errors import ConfigurationError
from seisvision.outputs.averaging import pool_votes
from seisvision.outputs.kinds import predictions_class
from seisvision.outputs.output import Output
from seisvision.tasks.passes.draws import sample_keys

Raw = dict[str, torch.Tensor]


class Passes(Protocol):
    """A way to ask a network several times."""

    seed: int

    def raws(self, task: Any, picture: torch.Tensor, keys: torch.Tensor) -> Iterator[Raw]:
        """Raw outputs (B, R) by name of each pass over pictures (B, P, ...), drawn by the keys (B,) of the samples."""
        ...


def pooled(
    task: Any, batch: Mapping[str, Any], passes: Passes
) -> tuple[Raw, dict[str, torch.Tensor], dict[str, dict[str, torch.Tensor]]]:
    """What all passes over a batch say together.

    The picture is drawn once; batch norms stay as they were trained, for the task is in evaluation mode.

    Returns:
        Raw outputs of the last pass, decoded values (B, D) of all together, and what they say apart, (B,) by name; by
        output.
    """
    picture = task.view(batch)
    keys = sample_keys(batch[unit_named(task.view.unit).id_column], passes.seed).to(picture.device)
    votes: dict[str, list[np.ndarray]] = {output.name: [] for output in task.outputs}
    raw: Raw = {}
    for raw in passes.raws(task, picture, keys):
        for output in task.outputs:
            votes[output.name].append(output.decode(raw[output.name]).detach().double().cpu().numpy())
    decoded, apart = {}, {}
    for output in task.outputs:
        together = pool_votes(predictions_class(output.kind), output.describe(), np.stack(votes[output.name]))
        decoded[output.name] = torch.from_numpy(together.decoded)
        apart[output.name] = {name: torch.from_numpy(values) for name, values in together.apart.items()}
    return raw, decoded, apart


def check_poolable(outputs: tuple[Output, ...], method: str) -> None:
    """Refuse outputs of which passes cannot be told apart, such as picks.

    Raises:
        ConfigurationError: names the output.
    """
    for output in outputs:
        if not predictions_class(output.kind).apart_names:
            raise ConfigurationError(
                f"uncertainty={method} pools numbers, angles, bins and classes; output '{output.name}' is of kind "
                f"{output.kind}. Choose uncertainty=none, or leave the output out."
            )
