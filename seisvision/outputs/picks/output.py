"""Arrival times of phases, from curves along the window."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from seisvision import keys
from seisvision.base.devices import sent
from seisvision.base.sample_ids import are_noise
from seisvision.errors import ConfigurationError, DataError
from seisvision.outputs.output import Output
from seisvision.outputs.picks import KIND, WORDS
from seisvision.outputs.picks.curves import ABSENT_S, event_curve, label_curves, peaks
from seisvision.picking.by_rule import picks_by_rule

PHASES = ("P", "S")
NOISE, EVENT = "noise", "event"
"""Names of the curves beside those of phases."""
FOCUS = 2.0
"""Exponent of the focal loss."""
KEPT = 0.05
"""Probability below which a further maximum is not kept, so that curves of measures against thresholds begin here."""
LABEL_REACH = 3.0
"""Standard deviations by which an arrival may lie beyond an end of the window and still show in it."""


class PickOutput(Output):
    """When phases arrive: a curve for each along the window, whose maxima are picks.

    Raw values are logits (B, R, T): of the phases in their order, with ``loss=cross_entropy`` of noise, with
    ``detection`` of an event. Decoded values are (B, 2 K) a phase, one phase after the other: K times in seconds after
    the start of the window, the most probable first, and their K probabilities, NaN where there are fewer; then the
    highest probability of an event, with ``detection``. Curves are not kept.

    True values (B, phases x E) are times, NaN where nothing is known: a trace on which P alone is labelled says nothing
    of S, and its loss is that of P against all else together. A time outside the window says that it holds none.

    Args:
        name: how the output is called in metrics and files.
        phases: ``P``, ``S`` or both.
        label: shape of the curve that is wanted about an arrival: ``gaussian``, ``triangle`` or ``box``.
        sigma_s: its standard deviation.
        loss: ``cross_entropy``: phases and noise exclude each other, so that their probabilities add to one; ``bce``:
            each curve by itself; ``focal``: the same, with a factor that spares what is right already.
        detection: whether there is an event, from P until 1.4 S minus P later; needs P and S.
        threshold: probability from which a pick counts.
        max_picks: K, of a phase in a window.
        max_events: E, true arrivals of a phase that a window may hold.
        apart_s: of maxima that are nearer than this the higher counts.
        unlabelled: what a trace is of which neither phase is labelled and which is no window of noise: ``unknown``, so
            that it is left out, or ``noise``, where a set labels every event.
        weight: see :class:`~seisvision.outputs.output.Output`.

    Raises:
        ConfigurationError: a setting is not allowed.
    """

    kind = KIND
    on_maps = True
    map_is_signed = False
    rate_hz: torch.Tensor

    def __init__(
        self,
        name: str,
        phases: Sequence[str] = PHASES,
        label: str = "gaussian",
        sigma_s: float = 0.1,
        loss: str = "cross_entropy",
        detection: bool = False,
        threshold: float = 0.3,
        max_picks: int = 4,
        max_events: int = 2,
        apart_s: float = 0.5,
        unlabelled: str = "unknown",
        weight: float = 1.0,
    ) -> None:
        super().__init__(name, "", weight, columns=())
        self.phases = tuple(phases)
        if not self.phases or len(set(self.phases)) < len(self.phases) or not set(self.phases) <= set(PHASES):
            raise self._refused("phases", list(phases), "give [P], [S] or [P, S]")
        self.check_words(WORDS, label=label, loss=loss, unlabelled=unlabelled)
        for setting, number in (("sigma_s", sigma_s), ("apart_s", apart_s)):
            if not 0 < number < math.inf:
                raise self._refused(setting, number, "give seconds above 0")
        if not KEPT <= threshold < 1:
            raise self._refused("threshold", threshold, f"give a probability from {KEPT} to below 1")
        for setting, count in (("max_picks", max_picks), ("max_events", max_events)):
            if not 1 <= count <= 64:
                raise self._refused(setting, count, "give a whole number from 1 to 64")
        if detection and self.phases != PHASES:
            raise self._refused("detection", True, "an event lasts from P to S: give phases=[P, S]")
        self.label, self.sigma_s, self.loss_name = label, float(sigma_s), loss
        self.detection, self.threshold, self.unlabelled = detection, float(threshold), unlabelled
        self.max_picks, self.max_events, self.apart_s = max_picks, max_events, float(apart_s)
        self.n_samples, self.components = 0, ""
        self.wanted_hz: float | None = None
        # A buffer, so that it travels in checkpoints; NaN: no batch was seen yet.
        self.register_buffer("rate_hz", torch.tensor(math.nan))
        self._seen_hz = self._told_hz = math.nan

    def _refused(self, setting: str, value: Any, cure: str) -> ConfigurationError:
        return ConfigurationError(f"{setting}={value!r:.60} of output '{self.name}' is not allowed; {cure}.")

    @property
    def curve_names(self) -> tuple[str, ...]:
        """What each of the R curves is of."""
        noise = (NOISE,) if self.loss_name == "cross_entropy" else ()
        return (*self.phases, *noise, *((EVENT,) if self.detection else ()))

    def build_for(self, model: Any, view: Any) -> None:
        """Create the head, or none for a backbone whose maps are these curves.

        Raises:
            ConfigurationError: the network has no maps, or curves of other things, or the view draws.
        """
        if len(view.image_shape) != 2 or not hasattr(model, "maps"):
            raise ConfigurationError(
                f"Output '{self.name}' tells times and needs maps along a waveform, which {type(model).__name__} "
                f"behind {type(view).__name__} does not give. Set view=waveform and a network with maps, such as "
                "model=unet1d."
            )
        self.n_samples, self.components = view.image_shape[-1], view.components
        curves, order = getattr(model, "curves", None), getattr(model, "components", None)
        if order is not None and order != view.components:
            raise ConfigurationError(
                f"{type(model).__name__} knows the components in the order {order}, and view.components="
                f"{view.components}; set view.components={order}."
            )
        self.wanted_hz = getattr(model, "rate_hz", None)
        if curves is None:
            self.head = nn.Conv1d(model.num_features, len(self.curve_names), 1)
        else:
            absent = [name for name in self.curve_names if name not in curves]
            if absent:
                raise ConfigurationError(
                    f"Output '{self.name}' wants curves of {', '.join(self.curve_names)}, and {type(model).__name__} "
                    f"has {', '.join(curves)}. Choose phases, loss and detection so that it has them all."
                )
            self.head = Chosen([curves.index(name) for name in self.curve_names])

    def fit_statistics(self, targets: torch.Tensor) -> None:
        """Nothing: arrivals come with the batches."""

    def meet(self, rate_hz: float) -> None:
        """Learn the rate of the samples.

        Raises:
            DataError: it is not that of the training.
        """
        if rate_hz == self._seen_hz:
            return
        if self.wanted_hz is not None and not math.isclose(self.wanted_hz, rate_hz, rel_tol=1e-4):
            raise DataError(
                f"The network of output '{self.name}' was made for {self.wanted_hz:g} samples a second and gets "
                f"{rate_hz:g}; set dataset.traces.sampling_rate_hz={self.wanted_hz:g}."
            )
        known_hz = float(self.rate_hz)
        if math.isnan(known_hz):
            self.rate_hz.fill_(rate_hz)
        elif not math.isclose(known_hz, rate_hz, rel_tol=1e-4):
            raise DataError(
                f"Output '{self.name}' learnt from {known_hz:g} samples a second and gets {rate_hz:g}; set "
                f"dataset.traces.sampling_rate_hz={known_hz:g}."
            )
        self._seen_hz, self._told_hz = rate_hz, float(self.rate_hz)

    @property
    def _known_hz(self) -> float:
        """Rate of the samples; a buffer on an accelerator is asked once, for that means to wait."""
        return float(self.rate_hz) if math.isnan(self._told_hz) else self._told_hz

    @property
    def seconds(self) -> float:
        """Length of the window."""
        return self.n_samples / self._known_hz

    def truth(self, batch: dict[str, Any]) -> torch.Tensor:
        """True times (B, phases x E)."""
        self.meet(float(batch[keys.SAMPLING_RATE_HZ]))
        reach_s, end_s = LABEL_REACH * self.sigma_s, self.n_samples / float(batch[keys.SAMPLING_RATE_HZ])
        arrivals_s = batch[keys.ARRIVALS_S][:, :1].float()
        if keys.MORE_ARRIVALS_S in batch:
            arrivals_s = torch.cat([arrivals_s, batch[keys.MORE_ARRIVALS_S][:, 0].float()], 1)
        is_noise = sent(torch.as_tensor(are_noise(batch[keys.TRACE_ID])), arrivals_s.device)
        if self.unlabelled == "noise":
            is_noise = is_noise | ~arrivals_s.isfinite().flatten(1).any(1)
        found = []
        for phase in self.phases:
            times_s = arrivals_s[..., PHASES.index(phase)]
            inside = (times_s > -reach_s) & (times_s < end_s + reach_s)
            known = times_s[:, 0].isfinite() | is_noise
            if self.training:
                # One arrival more than there are places would be learnt as noise.
                known = known & (inside.sum(1) <= self.max_events)
            # Those inside first, in their order; what is beyond the last place is an event too many.
            order = inside.int().argsort(dim=1, descending=True, stable=True)
            times_s = times_s.masked_fill(~inside, torch.nan).gather(1, order)
            times_s = functional.pad(times_s, (0, self.max_events), value=torch.nan)[:, : self.max_events]
            none = known & ~times_s.isfinite().any(1)
            times_s[:, 0] = times_s[:, 0].masked_fill(none, ABSENT_S)
            found.append(times_s.masked_fill(~known[:, None], torch.nan))
        return torch.cat(found, 1)

    def by_phase(self, target: torch.Tensor) -> torch.Tensor:
        """True times (B, phases, E)."""
        return target.reshape(len(target), len(self.phases), self.max_events)

    def loss(self, raw: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Mean over the samples of which any phase is known of the loss along the window."""
        raw, arrivals_s = raw.float(), self.by_phase(target)
        n_phases, rate_hz = len(self.phases), self._known_hz
        wanted = label_curves(arrivals_s, raw.shape[-1], rate_hz, self.sigma_s, self.label)
        known = arrivals_s.isfinite().any(-1)
        if self.loss_name == "cross_entropy":
            each = _marginal_cross_entropy(raw[:, : n_phases + 1], wanted, known)
        else:
            each = self._by_itself(raw[:, :n_phases], wanted).mean(-1)
            each = (each * known).sum(1) / known.sum(1).clamp_min(1)
        if self.detection:
            is_event = event_curve(arrivals_s, raw.shape[-1], rate_hz)
            each = each + known.all(1) * self._by_itself(raw[:, -1], is_event).mean(-1)
        return (each * known.any(1)).sum() / self.known_weight(target).clamp_min(1)

    def _by_itself(self, raw: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        each = functional.binary_cross_entropy_with_logits(raw, wanted, reduction="none")
        return each * (wanted - raw.sigmoid()).abs().pow(FOCUS) if self.loss_name == "focal" else each

    def probabilities(self, raw: torch.Tensor) -> torch.Tensor:
        """Curves (B, R, T) of raw values, in the order of :attr:`curve_names`."""
        raw, n_phases = raw.float(), len(self.phases)
        if self.loss_name != "cross_entropy":
            return raw.sigmoid()
        return torch.cat([raw[:, : n_phases + 1].softmax(1), raw[:, n_phases + 1 :].sigmoid()], 1)

    def decode(self, raw: torch.Tensor) -> torch.Tensor:
        """Times and probabilities (B, phases x 2 K), and of an event."""
        rate_hz = self._known_hz
        curves = self.probabilities(raw.detach())
        apart = max(1, round(self.apart_s * rate_hz)) if rate_hz > 0 else 1
        place, height = peaks(curves[:, : len(self.phases)], self.max_picks, apart, KEPT)
        told = [torch.stack([place / rate_hz, height], 2).flatten(1)]
        return torch.cat([*told, curves[:, -1:].amax(-1)] if self.detection else told, 1)

    def beside(self, batch: dict[str, Any]) -> torch.Tensor:
        """What rules without any training pick: time and clarity (B, rules x phases x 2)."""
        lines = batch[keys.WAVEFORM][:, 0].float().nan_to_num(0.0, 0.0, 0.0).cpu().numpy()
        vertical = self.components.index("Z") if "Z" in self.components else 0
        others = [place for place in range(lines.shape[1]) if place != vertical] or [vertical]
        found = picks_by_rule(lines[:, vertical], lines[:, others], float(batch[keys.SAMPLING_RATE_HZ]))
        wanted = [PHASES.index(phase) for phase in self.phases]
        told = [np.stack([times[:, wanted], clear[:, wanted]], 2) for times, clear in found.values()]
        return torch.from_numpy(np.stack(told, 1).reshape(len(lines), -1))

    def explained(self, raw: torch.Tensor) -> torch.Tensor:
        """The highest logit (B, 1) of the first phase."""
        return raw[:, :1].amax(-1)

    def running_metrics(self, decoded: torch.Tensor, target: torch.Tensor) -> dict[str, torch.Tensor]:
        """Share of the arrivals that the most probable pick hits within 0.1 s, and the mean of it over phases."""
        found: dict[str, torch.Tensor] = {}
        picks = decoded[:, : len(self.phases) * 2 * self.max_picks]
        picks = picks.reshape(len(decoded), len(self.phases), 2, self.max_picks)
        for number, (phase, true_s) in enumerate(zip(self.phases, self.by_phase(target).unbind(1), strict=True)):
            there = true_s[:, 0] >= 0
            if there.any():
                counts = picks[there, number, 1] >= self.threshold
                near = (picks[there, number, 0] - true_s[there, :1]).abs() <= 0.1
                found[f"{phase}_recall_0.1s"] = (near & counts).any(1).float().mean()
        if found:
            found["recall_0.1s"] = torch.stack(list(found.values())).mean()
        return found

    def describe(self) -> dict[str, Any]:
        """Plain description stored in checkpoints."""
        return {
            "kind": self.kind,
            "name": self.name,
            "phases": list(self.phases),
            "threshold": self.threshold,
            "max_picks": self.max_picks,
            "max_events": self.max_events,
            "detection": self.detection,
            "sigma_s": self.sigma_s,
            "apart_s": self.apart_s,
            "window_s": self.seconds,
        }


class Chosen(nn.Module):
    """Some of the maps (B, F, T), as they are."""

    def __init__(self, numbers: Sequence[int]) -> None:
        super().__init__()
        self.numbers = list(numbers)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps (B, R, T)."""
        return maps[:, self.numbers]


def _marginal_cross_entropy(raw: torch.Tensor, wanted: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """Cross-entropy (B,), mean along the window, where phases that are not known are one with noise.

    Args:
        raw: logits (B, phases + 1, T), of noise last.
        wanted: (B, phases, T) labels.
        known: bool (B, phases).
    """
    # Where labels overlap they share the one that there is.
    wanted = wanted / wanted.sum(1, keepdim=True).clamp_min(1)
    logs = raw.log_softmax(1)
    rest = logs.clone()
    rest[:, :-1] = rest[:, :-1].masked_fill(known[..., None], -math.inf)
    of_rest = rest.logsumexp(1)
    return -((wanted * logs[:, :-1] * known[..., None]).sum(1) + (1 - wanted.sum(1)) * of_rest).mean(-1)
