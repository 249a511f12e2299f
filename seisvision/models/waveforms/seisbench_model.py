"""Networks of SeisBench that give a curve along the waveform, as backbones whose maps are their curves."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from typing import Any

import torch

from seisvision.errors import ConfigurationError, did_you_mean
from seisvision.models.backbone import MapBackbone
from seisvision.models.waveforms.layers import split_peak

CURVES = {"p": "P", "s": "S", "n": "noise", "noise": "noise", "detection": "event"}
"""What SeisBench calls its curves, in small letters, and what they are called here."""
REFUSED = {"DepthPhaseNet": "its curves are of P, pP and sP, from which it tells depths, not picks"}
"""Classes that cannot stand behind ``task=pick``, and why. They are not even made: making one may take many minutes."""
SMALLEST = 1e-6


class SeisBenchModel(MapBackbone):
    """A class of ``seisbench.models`` with its own normalisation and curves: lines (B, P, T) to logits (B, R, T).

    Its normalisation is its own, so the view should leave amplitudes as they are (``view.normalise=none``), and give
    the components in the order in which the network knows them. SeisBench adds 1e-10 to what it divides
    by, which is more than much ground motion in m/s, so that records are brought to a peak of 1 first.

    Args:
        in_channels: P.
        n_samples: T.
        name: of the class, such as ``PhaseNet`` or ``EQTransformer``.
        settings: of the class, such as ``{phases: PSN}``.

    Raises:
        ConfigurationError: SeisBench is not installed, has no such class, or the class gives no curves of this length.
    """

    axes = 1

    def __init__(
        self, in_channels: int, n_samples: int, name: str = "PhaseNet", settings: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__()
        self.network = _made(name, in_channels, n_samples, dict(settings or {}))
        labels = getattr(self.network, "labels", None) or ()
        told = tuple(CURVES.get(str(label).lower(), str(label)) for label in labels)
        self.curves, self.num_features = told, len(told)
        self.takes_logits = "logits" in inspect.signature(self.network.forward).parameters
        self._check(name, told, (in_channels, n_samples))

    @property
    def rate_hz(self) -> float | None:
        """Samples a second that the class was made for."""
        rate_hz = getattr(self.network, "sampling_rate", None)
        return None if rate_hz is None else float(rate_hz)

    @property
    def components(self) -> str | None:
        """Order of the components that it knows."""
        order = getattr(self.network, "component_order", None)
        return None if order is None else "".join(order)

    def maps(self, image: torch.Tensor) -> torch.Tensor:
        """Logits (B, R, T) of waveforms (B, P, T)."""
        scaled, _ = split_peak(image)
        prepared = self.network.annotate_batch_pre(scaled, dict(getattr(self.network, "default_args", None) or {}))
        told = self.network(prepared, logits=True) if self.takes_logits else self.network(prepared)
        told = torch.stack(list(told), 1) if isinstance(told, tuple | list) else told
        if self.takes_logits:
            return told
        # Logits of curves that exclude each other are their logarithms, of others their odds.
        told = told.clamp(SMALLEST, 1 - SMALLEST)
        return told.log() if "noise" in (self.curves or ()) else told.logit()

    def _check(self, name: str, curves: tuple[str, ...], size: tuple[int, int]) -> None:
        was_training = self.training
        try:
            with torch.no_grad():
                found = tuple(self.eval().maps(torch.randn(1, *size)).shape)
        except Exception as error:
            said = " ".join(str(error).split())[:200]
            raise ConfigurationError(
                f"model.name={name} of SeisBench does not read {size[0]} x {size[1]} samples ({said}). Set "
                f"view.n_samples={getattr(self.network, 'in_samples', None) or size[1]} and its components."
            ) from error
        self.train(was_training)
        if found != (1, len(curves), size[1]) or not set(curves) & {"P", "S"}:
            raise ConfigurationError(
                f"model.name={name} of SeisBench gives {' x '.join(map(str, found[1:]))} values called "
                f"{', '.join(curves) or 'nothing'}, and task=pick needs curves of P or S along {size[1]} samples. "
                "Choose PhaseNet, EQTransformer or another class with an output for every sample."
            )


def _made(name: str, in_channels: int, n_samples: int, settings: dict[str, Any]) -> Any:
    if name in REFUSED:
        raise ConfigurationError(f"model.name={name} of SeisBench cannot be used here: {REFUSED[name]}.")
    try:
        models = importlib.import_module("seisbench.models")
    except ImportError as error:
        raise ConfigurationError(
            f"model.name={name} needs the package seisbench: pip install 'seisvision[seisbench]'."
        ) from error
    offered = [one for one in dir(models) if _is_network(getattr(models, one), models)]
    if name not in offered:
        raise ConfigurationError(f"SeisBench has no network '{name}'. {did_you_mean(name, offered)}")
    kind = getattr(models, name)
    takes = inspect.signature(kind.__init__).parameters
    told = {key: value for key, value in (("in_channels", in_channels), ("in_samples", n_samples)) if key in takes}
    try:
        return kind(**told | settings)
    except TypeError as error:
        raise ConfigurationError(f"model.settings={settings} do not go with SeisBench's {name}: {error}") from error


def _is_network(item: object, models: Any) -> bool:
    return isinstance(item, type) and issubclass(item, models.WaveformModel) and item is not models.WaveformModel
