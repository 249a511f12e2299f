"""What all outputs of a network promise."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from seisvision import keys
from seisvision.errors import ConfigurationError, did_you_mean

TINY = torch.finfo(torch.float32).tiny
"""What is divided by where no sample counts: 0 / tiny is 0, where 0 / 0 would end the training."""


class Output(nn.Module):
    """One thing that a network says about a sample: its head, its loss and its decoding.

    Args:
        name: how the output is called in metrics and files.
        target: metadata column of the true value.
        weight: factor of its loss in the sum over outputs.
        hides_origin: the value must be found without knowing the origin time, so windows aligned to it, and views that
            draw from it, are refused.
        columns: metadata columns of a true value of D numbers, such as the three coordinates of a source; ``describe``
            then tells them too. None: the one column ``target``; empty: the set does not hold the truth.

    Raises:
        ConfigurationError: no file can be named so.
    """

    kind: str
    """``KIND`` of its folder in :mod:`seisvision.outputs`, or the name of a package of one's own like these."""
    map_is_signed: bool = True
    """Whether a negative map of what a network looked at means something: what lowers a number, turns an angle back."""

    sees_picture: bool = False
    """Whether it is about the picture itself: :meth:`look` gives its raw values and :meth:`truth_seen` the truth, in
    place of ``forward`` and ``truth``, and :meth:`fit_pictures` is called before the training."""

    on_maps: bool = False
    """Whether ``forward`` takes the maps (B, F, T) of a :class:`~seisvision.models.backbone.MapBackbone`."""

    def __init__(
        self,
        name: str,
        target: str,
        weight: float = 1.0,
        hides_origin: bool = False,
        columns: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        if not re.fullmatch(r"\w[\w .+-]{0,99}", name):
            raise ConfigurationError(
                f"An output named {name[:100]!r} is not allowed: files are named by it. Use letters, digits, - and _."
            )
        self.name, self.target, self.weight = name, target, float(weight)
        self.hides_origin = hides_origin
        self.columns = (target,) if columns is None else tuple(columns)
        self.head: nn.Module = nn.Identity()

    def check_words(self, allowed: Mapping[str, Sequence[str]], **given: str) -> None:
        """Refuse a word that is none of those that its setting may be, by the table ``WORDS`` of the kind.

        Raises:
            ConfigurationError: names the setting, the word and what it may be.
        """
        for setting, word in given.items():
            if word not in allowed[setting]:
                hint = did_you_mean(str(word), list(allowed[setting]))
                raise ConfigurationError(f"{setting}={word!r:.60} of output '{self.name}' is not allowed. {hint}")

    def build_head(self, num_features: int) -> None:
        """Create the head for features (B, ``num_features``)."""
        raise NotImplementedError

    def build_for(self, model: Any, view: Any) -> None:
        """Create what depends on the backbone and on the view that draws for it."""
        self.build_head(model.num_features)

    def look(self, picture: torch.Tensor, model: Any) -> torch.Tensor:
        """Raw values (B, ...) from pictures (B, ...) and the backbone, of outputs with ``sees_picture``."""
        raise NotImplementedError

    def truth_seen(self, raw: torch.Tensor) -> torch.Tensor:
        """True values (B,) of what :meth:`look` gave."""
        raise NotImplementedError

    def fit_pictures(self, pictures: Iterable[torch.Tensor]) -> None:
        """Take what must be known of the training pictures, given in batches (B, ...); kept in checkpoints."""

    def draw_answers(self, path: Path, raw: torch.Tensor, captions: Sequence[str], channels: Sequence[str]) -> None:
        """Draw what :meth:`look` gave of a few samples, with the names of the picture's channels."""

    def fit_statistics(self, targets: torch.Tensor) -> None:
        """Take what training needs to know of the true values (N,) of the training split; kept in checkpoints."""
        raise NotImplementedError

    def meet(self, rate_hz: float) -> None:
        """Learn the sampling rate of the waveforms, before anything is learnt from them."""

    def count_from(self, latitude_deg: float, longitude_deg: float) -> None:
        """Learn the place from which local coordinates count, before anything is learnt; of outputs about places."""

    def truth(self, batch: dict[str, Any]) -> torch.Tensor:
        """True values of a batch: (B,) of one column, (B, D) of several. Wherever (B,) stands below, (B, D) may be."""
        values = [batch[keys.TARGETS][column] for column in self.columns]
        return values[0] if len(values) == 1 else torch.stack(values, dim=1)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map features (B, F) to raw values (B, R)."""
        return self.head(features)

    def loss(self, raw: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Mean loss of raw values (B, R) against true values (B,); samples without one do not count."""
        raise NotImplementedError

    def known_weight(self, target: torch.Tensor) -> torch.Tensor:
        """Sum of the weights of the samples that have a true value (B,): what ``loss`` divides by, ().

        One of D numbers is enough; a kind whose loss counts otherwise says so here.
        """
        known = target.isfinite()
        return (known if known.ndim == 1 else known.flatten(1).any(dim=1)).sum()

    def decode(self, raw: torch.Tensor) -> torch.Tensor:
        """What the raw values (B, R) mean: (B, D), in physical units."""
        raise NotImplementedError

    def apart(self, raw: torch.Tensor) -> dict[str, torch.Tensor]:
        """Noise and what the network does not know, (B,) by name, where one pass with raw values (B, R) tells them."""
        return {}

    def information(self, raw: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Fisher information (B, R, R) of the raw values (B, R) in what was observed; 0 without a target (B,).

        What a Laplace approximation of the last layer is made of.

        Raises:
            ConfigurationError: the loss is the likelihood of no distribution.
        """
        raise ConfigurationError(
            f"uncertainty=laplace needs a loss that is a likelihood, which that of output '{self.name}' is not. Choose "
            "gaussian or laplace for numbers, von_mises for angles, or another method."
        )

    def beside(self, batch: dict[str, Any]) -> torch.Tensor | None:
        """What baselines that need the waveforms say of a batch, (B, R): more columns of what is decoded."""
        return None

    def explained(self, raw: torch.Tensor) -> torch.Tensor:
        """The one value (B, 1) of raw values (B, R) that an explanation is about."""
        return raw[:, :1]

    def running_metrics(self, decoded: torch.Tensor, target: torch.Tensor) -> dict[str, torch.Tensor]:
        """Metrics of decoded values (N, D) against true values (N,), cheap enough for every epoch."""
        raise NotImplementedError

    def describe(self) -> dict[str, Any]:
        """Plain description stored in checkpoints."""
        raise NotImplementedError
