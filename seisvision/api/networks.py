"""Trained networks, opened: what they say, and predictions for sets, streams, files and arrays."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seisvision.api.answers import Answers, Picks, told_rejections
from seisvision.api.asking import ask_about
from seisvision.api.picking import pick
from seisvision.api.recordings import (
    Asked,
    import_recordings,
    is_recordings,
    refuse_unused,
    settings_of_training,
    write_arrays,
)
from seisvision.api.sets import OpenSet
from seisvision.api.shown import facts_html
from seisvision.data.sets.set_files import read_card
from seisvision.errors import CheckpointError, ConfigurationError
from seisvision.experiments.waveforms.pickers import CHECKPOINT, open_picker
from seisvision.experiments.waveforms.settings import cut_section
from seisvision.experiments.waveforms.trained import TrainedNetwork
from seisvision.keys import COMPONENTS
from seisvision.leftovers import temporary_folder
from seisvision.outputs.picks.output import PickOutput
from seisvision.records.checkpoint import find_checkpoint, load_checkpoint
from seisvision.records.kinds import kind_of_config
from seisvision.records.trust.contents import check_content
from seisvision.records.trust.machine import offset_network

log = logging.getLogger(__name__)

SUPERVISED = "supervised"
MARK = "mark"
MORE_S = 30.0
"""Recorded before and after what a window needs, for filters and onsets."""
ONSET_AFTER_S = 120.0
"""How long after the origin an onset is expected where several events share one stream, as in ``data import``."""


def load(path: str | Path, *, offset_ckpt: str | Path | None = None) -> Network | Picker:
    """Open a trained network. Nothing that its file says is executed.

    Args:
        path: run folder (its best epoch), checkpoint, or published weights of PhaseNet.
        offset_ckpt: where the network that predicted its distances lies now, if it was moved.

    Returns:
        A :class:`Network`; a :class:`Picker` where it tells arrivals.

    Raises:
        CheckpointError: there is none, it is damaged, was tampered with, or is of a kind that answers nothing.
        ConfigurationError: it needs a class that this machine does not allow.
    """
    found = find_checkpoint(path)
    if found.suffix != CHECKPOINT:
        return Picker(found, None)
    checkpoint = load_checkpoint(found)
    check_content(checkpoint, found)
    kind = kind_of_config(checkpoint["seisvision"]["config"])
    if kind != SUPERVISED:
        raise CheckpointError(
            f"{found} is of kind {kind}, whose networks say nothing of single samples. Open its run with "
            f"open_run, or measure it again with evaluate.py ckpt={found}."
        )
    moved = None if offset_ckpt is None else str(offset_ckpt)
    trained = TrainedNetwork.open(found, lambda stored: stored | offset_network(stored, moved))
    is_picker = any(isinstance(output, PickOutput) for output in trained.task.outputs)
    return Picker(found, trained) if is_picker else Network(found, trained)


class Network:
    """A trained network with its view, window and classes.

    Args:
        path: of its checkpoint.
        trained: the network.
    """

    def __init__(self, path: Path, trained: TrainedNetwork) -> None:
        self.path = path
        self.trained = trained

    @property
    def run_id(self) -> str:
        """The run that it is from."""
        return str(self.trained.content["run_id"])

    @property
    def unit(self) -> str:
        """What it is asked about: ``event`` (recordings of several stations) or ``trace`` (of one)."""
        return str(self.trained.task.view.unit)

    @property
    def outputs(self) -> dict[str, dict[str, Any]]:
        """By name what it says: kind, target, unit, classes."""
        return {output.name: dict(output.describe()) for output in self.trained.task.outputs}

    @property
    def window(self) -> dict[str, Any]:
        """What it sees: ``reference``, ``start_s`` after it, ``length_s``; ``sampling_rate_hz``, None if not known."""
        cut = self.trained.config.dataset.section(cut_section(self.trained.task.view)) or {}
        return {**cut.get("window", {}), "sampling_rate_hz": self.trained.sampling_rate_hz}

    @property
    def made(self) -> dict[str, Any]:
        """How the recordings that it learnt from were made, as far as that is known: unit, response, processing."""
        return dict(self.trained.content.get("recordings") or {})

    def predict(
        self,
        data: Any,
        *,
        inventory: Any = None,
        events: Any = None,
        picks: str | None = None,
        associate: str | None = None,
        before_s: float | None = None,
        after_s: float | None = None,
        processing: str | Mapping[str, Any] | None = None,
        response: str | None = None,
        unit: str | None = None,
        sampling_rate_hz: float | None = None,
        components: str = COMPONENTS,
        onset_s: Sequence[float] | None = None,
        ids: Sequence[str] | None = None,
        training_events: str = MARK,
    ) -> Answers:
        """Ask about recordings; they are resampled, turned, cut and drawn as in the training.

        The same recordings give the numbers of ``evaluate.py``: sets are read as they are, and everything else goes
        through the import of ``seisvision data import`` first.

        Args:
            data: a set (:func:`~seisvision.open_set`, or its folder); an ``obspy.Stream``; streams by the id of their
                event; a file, folder or pattern of recordings; or an array (T,), (C, T) or (N, C, T) of single
                stations.
            inventory: of recordings: ``obspy.Inventory``, StationXML or CSV.
            events: of recordings: ``obspy.Catalog``, QuakeML or CSV, or a table. Recordings find their events by time;
                where there is one event it has all of them. None: the recordings are one event of which nothing is
                known.
            picks: of files: CSV or QuakeML of picks, or ``events``; a picked P is the onset.
            associate: of files: how they find their events (``time``, ``name``, ``folder``, ``sds``, ``sac``).
            before_s: how much of a recording before the origin belongs to an event.
            after_s: the same after the origin.
            processing: None for that of the training where its set was imported, else detrended and tapered; ``none``
                for recordings that are to be taken as they are; or changes, such as ``{"band_hz": [1, 10]}``.
            response: ``none``, ``gain`` or ``remove``; None for that of the training, where it is known.
            unit: of the recordings, where no response is taken away; default counts.
            sampling_rate_hz: of arrays.
            components: of arrays, a letter for each of C.
            onset_s: of arrays (N,), after the first sample.
            ids: of arrays (N,).
            training_events: ``mark`` what it has seen in its training (column ``seen``), ``leave_out``, or ``keep``.

        Returns:
            One row a sample, with uncertainties; and what was refused, and why.

        Raises:
            DataError: nothing of the data can be used, or they are damaged; the message says why.
            ConfigurationError: a setting is not allowed or has no use with the data, or they are of no known kind.
        """
        of_recordings = {
            "inventory": inventory, "events": events, "picks": picks, "associate": associate, "before_s": before_s,
            "after_s": after_s, "processing": processing, "response": response, "unit": unit,
        }  # fmt: skip
        of_arrays = {
            "sampling_rate_hz": sampling_rate_hz, "components": None if components == COMPONENTS else components,
            "onset_s": onset_s, "ids": ids,
        }  # fmt: skip
        if is_set(data):
            refuse_unused("a waveform set, which is read as it is", of_recordings | of_arrays)
            return self._of_set(data, training_events)
        with temporary_folder() as folder:
            if isinstance(data, np.ndarray):
                self._refuse_arrays()
                refuse_unused("an array, which is taken as it is", of_recordings)
                path = write_arrays(
                    data, folder, sampling_rate_hz=sampling_rate_hz, components=components, onset_s=onset_s, ids=ids
                )
                return ask_about(self.trained, path, folder, training_events)
            if not is_recordings(data) and not isinstance(data, str | Path):
                raise ConfigurationError(
                    f"data is a {type(data).__name__}; give a waveform set, an obspy.Stream, streams by event id "
                    "({'id': stream}), a path, or an array."
                )
            refuse_unused("recordings, which tell their rate and components", of_arrays)
            if is_recordings(data):
                refuse_unused("streams, which find their events by id or time", {"associate": associate})
                self._check_known(inventory, events)
            if isinstance(data, Mapping):
                refuse_unused(
                    "streams by event, which belong to it from end to end", {"before_s": before_s, "after_s": after_s}
                )
            source = self._source(processing, response, unit)
            settings = settings_of_training(self.made, processing)
            asked = Asked(inventory, events, picks, associate, before_s, after_s, self._needed_s(), settings, source)
            imported = import_recordings(data, asked, folder)
            self._warn_of_unit(imported.path)
            refused = told_rejections(imported.rejections)
            return ask_about(self.trained, imported.path, folder, training_events, refused)

    def _of_set(self, data: Any, training_events: str) -> Answers:
        opened = data if isinstance(data, OpenSet) else None
        path = Path(data) if opened is None else opened.path
        data_dir = path.absolute().parent
        if not os.access(data_dir, os.W_OK):
            data_dir = Path(tempfile.gettempdir())
        return ask_about(self.trained, path, data_dir, training_events, opened=opened)

    def _source(self, processing: Any, response: str | None, unit: str | None) -> dict[str, Any]:
        """How recordings are to be understood; what is taken as it is, is as in the training."""
        as_stored = isinstance(processing, str)
        known = {name: self.made.get(name) for name in ("response", "output")} if not as_stored else {}
        unit = unit or (self.made.get("unit") if as_stored else None)
        found = {**known, "unit": unit} | ({"response": response} if response else {})
        return {name: value for name, value in found.items() if value}

    def _check_known(self, inventory: Any, events: Any) -> None:
        """Refuse streams of which too little is told for any of them to be cut or drawn."""
        uses = bool(self.trained.task.view.uses_epicentre)
        from_origin = self.window.get("reference") == "origin"
        if events is None and (uses or from_origin):
            why = "its windows count from the origin time" if from_origin else "it sees distances from the epicentre"
            raise ConfigurationError(
                f"This network needs events=...: {why}. Give an obspy.Catalog, QuakeML, CSV or a table."
            )
        if inventory is None and uses:
            raise ConfigurationError(
                "This network needs inventory=...: it sees distances from the epicentre. Give an obspy.Inventory, "
                "StationXML or CSV."
            )

    def _needed_s(self) -> tuple[float, float]:
        """How much before and after an origin is read where several events share one stream."""
        window = self.window
        start_s, jitter_s = float(window.get("start_s") or 0.0), float(window.get("jitter_s") or 0.0)
        end_s = start_s + float(window.get("length_s") or 0.0)
        late_s = ONSET_AFTER_S if window.get("reference") == "onset" else 0.0
        return MORE_S + jitter_s + max(0.0, -start_s), MORE_S + jitter_s + late_s + max(ONSET_AFTER_S, end_s)

    def _refuse_arrays(self) -> None:
        if self.unit == "event":
            raise ConfigurationError(
                "This network reads events of several stations, and an array does not say where they stand. Give an "
                "obspy.Stream with inventory=... and events=..."
            )

    def _warn_of_unit(self, path: Path) -> None:
        learnt, given = str(self.made.get("unit") or ""), str(read_card(path).get("unit", ""))
        if learnt and given and learnt != given:
            log.warning(
                "The network learnt from recordings in %s, and these are in %s. Where its view does not normalise "
                "amplitudes that matters: give unit=... for what they are, or response='gain' with an inventory.",
                learnt, given,
            )  # fmt: skip

    def _facts(self) -> dict[str, Any]:
        window = self.window
        said = [
            f"{name} ({', '.join(about.get('class_names') or [about.get('unit') or about['kind']])})"
            for name, about in self.outputs.items()
        ]
        return {
            "run": self.run_id,
            "model": str(self.trained.config.model.get("_target_", "")).rpartition(".")[2],
            "view": str(self.trained.config.view.get("_target_", "")).rpartition(".")[2],
            "asked about": f"one {self.unit} a sample",
            "says": "; ".join(said),
            "rate": f"{window['sampling_rate_hz']:g} Hz" if window["sampling_rate_hz"] else "not known",
            "window": f"{window.get('length_s', 0):g} s from {window.get('start_s', 0):g} s after the "
            f"{window.get('reference', 'start')}",
        }

    def __repr__(self) -> str:
        return "\n".join(f"{name:<12} {value}" for name, value in self._facts().items())

    def _repr_html_(self) -> str:
        return facts_html("Network", self._facts())


class Picker(Network):
    """A network that tells arrivals: windows of a set, or recordings of any length.

    Args:
        path: of its checkpoint or weights.
        trained: the network; None for published weights, which pick recordings only.
    """

    def __init__(self, path: Path, trained: TrainedNetwork | None) -> None:
        self._picker = open_picker(path)
        super().__init__(path, trained)  # type: ignore[arg-type]

    @property
    def phases(self) -> tuple[str, ...]:
        """What it picks."""
        return tuple(self._picker.phases)

    def predict(self, data: Any, **asked: Any) -> Any:
        """Ask about the windows of a set, as :meth:`Network.predict`; recordings are picked, as :meth:`pick`."""
        if is_set(data) or isinstance(data, np.ndarray):
            if self.trained is None:
                raise ConfigurationError(f"{self.path} holds weights only, which pick recordings: give a stream.")
            return super().predict(data, **asked)
        unknown = sorted(set(asked) - {"inventory"})
        if unknown:
            raise ConfigurationError(f"{unknown[0]}=... does not go with picking; see Picker.pick for what does.")
        return self.pick(data, **asked)

    def pick(self, data: Any, *, inventory: Any = None, **settings: Any) -> Picks:
        """Pick recordings of any length, as ``seisvision pick`` does.

        Args:
            data: an ``obspy.Stream``, or a folder, file or pattern of recordings.
            inventory: angles and sensitivities of channels: ``obspy.Inventory``, StationXML or CSV.
            **settings: of :class:`~seisvision.archives.settings.PickSettings`, such as ``thresholds={"P": 0.5}``.

        Raises:
            DataError: there is nothing to pick.
            ConfigurationError: a setting is not allowed.
        """
        return pick(self.path, data, inventory, settings)

    def _facts(self) -> dict[str, Any]:
        network = self._picker
        picks = {
            "picks": ", ".join(network.phases),
            "reads": f"{network.components} at {network.sampling_rate_hz:g} Hz",
        }
        window = {"window": f"{network.n_samples} samples"}
        return {"run": self.run_id if self.trained else str(self.path), **picks, **window}


def is_set(data: Any) -> bool:
    """Whether data are a waveform set, or a path of one, and not other recordings."""
    return isinstance(data, OpenSet) or (isinstance(data, str | Path) and any(Path(data).glob("metadata*.csv")))
