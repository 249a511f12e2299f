"""Reconstruction of the picture by an auto-encoder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from seisvision.errors import ConfigurationError, DataError
from seisvision.outputs.output import Output
from seisvision.outputs.reconstruction import KIND, WORDS

LOSSES: dict[str, Callable[..., torch.Tensor]] = {"mse": functional.mse_loss, "huber": functional.huber_loss}


class ReconstructionOutput(Output):
    """The picture itself, from a backbone that has ``reconstruct``: picture (B, P, ...) to a picture of that shape.

    Only what was recorded counts: a channel that is zero throughout, as views draw a component that was not recorded,
    is neither learnt nor measured, and a sample without any other has no true value. Raw values are (B, 2, P, ...): the
    reconstruction, and the picture with NaN in such channels. Of each sample two numbers are kept, and no picture: the
    error of its reconstruction and that of the mean training picture, both as root mean squares over that of the
    picture. The first is a score for unusual records.

    Args:
        name: how the output is called in metrics and files.
        loss: ``mse`` or ``huber`` of the values of the picture.
        weight: see :class:`~seisvision.outputs.output.Output`.

    Raises:
        ConfigurationError: an unknown loss.
    """

    kind = KIND
    sees_picture = True

    def __init__(self, name: str, loss: str = "mse", weight: float = 1.0) -> None:
        super().__init__(name, "", weight, columns=())
        self.check_words(WORDS, loss=loss)
        self.loss_name = loss
        self.mean_picture: torch.Tensor

    def build_for(self, model: Any, view: Any) -> None:
        """Make room for the mean picture.

        Raises:
            ConfigurationError: the backbone cannot reconstruct pictures of the view.
        """
        told = f"Output '{self.name}' needs a network that reconstructs its picture, and {type(model).__name__}"
        cure = "Choose a network with reconstruct(), such as model=janbakhsh model.decoder=true."
        if not callable(getattr(model, "reconstruct", None)):
            raise ConfigurationError(f"{told} does not. {cure}")
        shape = tuple(view.image_shape)
        was_training = model.training
        with torch.no_grad():
            found = tuple(model.eval().reconstruct(torch.zeros(1, *shape)).shape[1:])
        model.train(was_training)
        if found != shape:
            raise ConfigurationError(f"{told} makes {_size(found)} values of {_size(shape)}. {cure}")
        # A buffer, so that it travels in checkpoints; NaN: no training picture was seen.
        self.register_buffer("mean_picture", torch.full(shape, torch.nan))

    def fit_statistics(self, targets: torch.Tensor) -> None:
        """Nothing: the set does not hold the truth, see :meth:`fit_pictures`."""

    @torch.no_grad()
    def fit_pictures(self, pictures: Iterable[torch.Tensor]) -> None:
        """Take the mean of every value over the training pictures in which its channel was recorded.

        Raises:
            DataError: there is nothing in any of them.
        """
        total = torch.zeros_like(self.mean_picture, dtype=torch.float64)
        count = total.new_zeros(len(total))
        for some in pictures:
            total += some.double().sum(0)
            count += _recorded(some).sum(0)
        if not count.any():
            raise DataError(f"No training picture shows anything, so output '{self.name}' has nothing to reconstruct.")
        self.mean_picture.copy_(total / _beside(count.clamp_min(1), total))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Refuse to be asked about features.

        Raises:
            ConfigurationError: always.
        """
        raise ConfigurationError(
            f"Output '{self.name}' is about the picture and not about features, so that nothing which starts from "
            "features, such as explain=gradcam, can be done with it. Leave that out."
        )

    def look(self, picture: torch.Tensor, model: Any) -> torch.Tensor:
        """Reconstructions and pictures (B, 2, P, ...), the latter NaN where nothing was recorded."""
        seen = picture.masked_fill(~_beside(_recorded(picture), picture), torch.nan)
        return torch.stack([model.reconstruct(picture).to(seen), seen], 1)

    def truth_seen(self, raw: torch.Tensor) -> torch.Tensor:
        """The error (B,) of a picture that comes back whole, which is 0; NaN where nothing was recorded."""
        return torch.where(raw[:, 1].isfinite().flatten(1).any(1), 0.0, torch.nan)

    def loss(self, raw: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Mean over the samples in which anything was recorded, of the mean loss of what was."""
        said, seen = raw.float().flatten(2).unbind(1)
        known = seen.isfinite()
        # Zeros before the loss: NaN times nothing would still be NaN in the gradient.
        each = LOSSES[self.loss_name](said.where(known, 0.0), seen.where(known, 0.0), reduction="none")
        of_sample = each.sum(1) / known.sum(1).clamp_min(1)
        return of_sample.sum() / self.known_weight(target).clamp_min(1)

    def decode(self, raw: torch.Tensor) -> torch.Tensor:
        """Normalised errors (B, 2) of the reconstruction and of the mean training picture."""
        said, seen = raw.detach().float().unbind(1)
        known = seen.isfinite()
        energy = seen.where(known, 0.0).square().flatten(1).sum(1, keepdim=True)
        # Not nanmean: a network that has diverged says NaN, and must not be judged by what is left.
        missed = [(one - seen).where(known, 0.0).square().flatten(1).sum(1) for one in (said, self.mean_picture)]
        return (torch.stack(missed, 1) / energy).sqrt()

    def explained(self, raw: torch.Tensor) -> torch.Tensor:
        """The normalised error (B, 1)."""
        return self.decode(raw)[:, :1]

    def running_metrics(self, decoded: torch.Tensor, target: torch.Tensor) -> dict[str, torch.Tensor]:
        """Mean normalised error, and the share of the variance that is explained."""
        error = decoded[target.isfinite(), 0]
        if not len(error):
            return {}
        return {"rmse_normalised": error.mean(), "explained_variance": 1 - error.square().mean()}

    def draw_answers(self, path: Path, raw: torch.Tensor, captions: Sequence[str], channels: Sequence[str]) -> None:
        """Draw every picture and its reconstruction on one scale."""
        from seisvision.outputs.reconstruction.figures import reconstruction_figure

        said, seen = raw.float().cpu().unbind(1)
        reconstruction_figure(path, seen.numpy(), said.numpy(), captions, channels)

    def describe(self) -> dict[str, Any]:
        """Plain description; there is no target, for the set does not hold the truth."""
        return {"kind": self.kind, "name": self.name, "loss": self.loss_name}


def _recorded(picture: torch.Tensor) -> torch.Tensor:
    """bool (B, P): channels of pictures (B, P, ...) that are not zero throughout."""
    return (picture != 0).flatten(2).any(2)


def _beside(values: torch.Tensor, picture: torch.Tensor) -> torch.Tensor:
    """Values (..., P) with axes of length one for those of a picture (..., P, ...) behind P."""
    return values.reshape(*values.shape, *[1] * (picture.ndim - values.ndim))


def _size(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))
