"""A network that picks, whole: raw windows in, probabilities out, whoever trained it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from seisvision import keys
from seisvision.errors import CheckpointError, ConfigurationError
from seisvision.models.backbone import MapBackbone
from seisvision.models.waveforms.unet1d import UNet1d
from seisvision.outputs.picks.output import NOISE, PickOutput
from seisvision.views.view import View
from seisvision.views.waveforms.waveform import WaveformView

SEISBENCH_LETTERS = {"P": "P", "S": "S", "N": NOISE}
"""Curves of SeisBench's PhaseNet, whose order is a word such as ``NPS``."""
SEISBENCH_ORDER = "NPS"
RATE_HZ = 100.0
WIDTH = 8
"""Channels of the first level of PhaseNet."""
OUT = "out"
"""What SeisBench calls the head."""


class PickNetwork(nn.Module):
    """View, backbone and output of a network that picks: what training makes and what archives are read with.

    Args:
        view: takes raw windows to what the backbone reads.
        model: the backbone.
        output: head and meaning of the curves.
        sampling_rate_hz: of the windows.
    """

    def __init__(self, view: View, model: MapBackbone, output: PickOutput, sampling_rate_hz: float) -> None:
        super().__init__()
        self.view, self.model, self.output = view, model, output
        self.sampling_rate_hz = sampling_rate_hz
        output.meet(sampling_rate_hz)
        self.eval()

    @property
    def components(self) -> str:
        """Order of the components of the windows."""
        return self.view.components

    @property
    def n_samples(self) -> int:
        """T: length of the windows."""
        return self.view.image_shape[-1]

    @property
    def phases(self) -> tuple[str, ...]:
        """What the first curves are of."""
        return self.output.phases

    @property
    def curve_names(self) -> tuple[str, ...]:
        """What all R curves are of: the phases, then ``noise``, then ``event``, as far as there are such."""
        return self.output.curve_names

    def raw(self, windows: torch.Tensor) -> torch.Tensor:
        """Logits (B, R, T) of windows (B, C, T) as they were recorded, zero where nothing was."""
        batch = {
            keys.WAVEFORM: windows[:, None],
            keys.STATION_MASK: torch.ones(len(windows), 1, dtype=torch.bool, device=windows.device),
            keys.SAMPLING_RATE_HZ: self.sampling_rate_hz,
        }
        return self.output(self.model.maps(self.view(batch)))

    @torch.inference_mode()
    def curves(self, windows: torch.Tensor) -> torch.Tensor:
        """Probabilities (B, R, T) of windows (B, C, T) as they were recorded, zero where nothing was.

        Args:
            windows: in the order of :attr:`components`, in any unit, :attr:`n_samples` long.
        """
        return self.output.probabilities(self.raw(windows))

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """As :meth:`curves`."""
        return self.curves(windows)

    @classmethod
    def of_task(cls, task: Any) -> PickNetwork:
        """The picking output of a :class:`~seisvision.tasks.supervised.SupervisedTask`.

        Raises:
            ConfigurationError: it has none, or was never trained.
        """
        found = [output for output in task.outputs if isinstance(output, PickOutput)]
        if not found:
            names = ", ".join(f"{output.name} ({output.kind})" for output in task.outputs) or "none"
            raise ConfigurationError(
                f"The network tells no arrivals; its outputs are {names}. Train one with task=pick."
            )
        rate_hz = float(found[0].rate_hz)
        if not rate_hz > 0:
            raise ConfigurationError("The network has not seen any waveforms, so its sampling rate is not known.")
        return cls(task.view, task.model, found[0], rate_hz)


def seisbench_weights(network: PickNetwork) -> dict[str, torch.Tensor]:
    """Weights of a network in the layout of SeisBench's PhaseNet, its curves in the order N, P and S.

    Raises:
        ConfigurationError: it is not that network, or reads or tells something else; the message says what.
    """
    model, output, view = network.model, network.output, network.view
    wanted = {
        "model=unet1d": isinstance(model, UNet1d),
        "model.padding=same, levels=5": isinstance(model, UNet1d) and (model.padding, model.levels) == ("same", 5),
        "model.width=8": model.num_features == WIDTH,
        "task.outputs.picks.loss=cross_entropy, phases=[P, S], detection=false": set(output.curve_names)
        == set(SEISBENCH_LETTERS.values()),
        "view.normalise=std or peak, across=component, level_of=record, band_hz=null, demean=true, ps_box=none": (
            isinstance(view, WaveformView)
            and view.normalise in ("std", "peak")
            and (view.across, view.level_of, view.band_hz, view.demean, view.ps_box)
            == ("component", "record", None, True, "none")
        ),
    }
    missing = [what for what, holds in wanted.items() if not holds]
    if missing:
        raise ConfigurationError(f"SeisBench's PhaseNet is another network; train one with {'; '.join(missing)}.")
    rows = [output.curve_names.index(SEISBENCH_LETTERS[letter]) for letter in SEISBENCH_ORDER]
    head = {f"{OUT}.{name}": value[rows] for name, value in output.head.state_dict().items()}
    return {name: value.detach().cpu().clone() for name, value in (model.state_dict() | head).items()}


def phasenet_of(
    weights: Mapping[str, torch.Tensor],
    order: str = "NPS",
    components: str = "ENZ",
    n_samples: int = 3000,
    sampling_rate_hz: float = RATE_HZ,
    normalise: str = "std",
) -> PickNetwork:
    """PhaseNet with weights in SeisBench's layout, asked as it was trained.

    Args:
        weights: by name, as the ``state_dict`` of SeisBench's PhaseNet.
        order: of its curves: N, P and S.
        components: order of its input.
        n_samples: length of its windows: 3000 of the published weights; SeisBench asks with 3001.
        sampling_rate_hz: of its windows.
        normalise: by what each component is divided, ``std`` or ``peak``.

    Raises:
        CheckpointError: they are no such weights.
    """
    if sorted(order) != sorted(SEISBENCH_LETTERS):
        raise ConfigurationError(f"order='{order}' of curves is not allowed; give the letters N, P and S, such as NPS.")
    rest = dict(weights)
    view = WaveformView(n_samples, components, normalise=normalise, across="component")
    model, output = UNet1d(len(components), n_samples), PickOutput("picks")
    output.build_for(model, view)
    named = [SEISBENCH_LETTERS[letter] for letter in order]
    rows = [named.index(name) for name in output.curve_names]
    try:
        head = {part: rest.pop(f"{OUT}.{part}")[rows] for part in ("weight", "bias")}
        output.head.load_state_dict(head)
        model.load_state_dict(rest)
    except (KeyError, IndexError, RuntimeError) as error:
        said = " ".join(str(error).split())[:300]
        raise CheckpointError(
            f"These are no weights of PhaseNet ({said}); give those of SeisBench's PhaseNet by the names it has."
        ) from error
    return PickNetwork(view, model, output, sampling_rate_hz)
