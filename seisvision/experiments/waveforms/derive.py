"""What the training part decides and is kept with the network: columns made from others (``dataset.derive``), and the
stations of a region (``dataset.samples.network``)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from seisvision.data.derived.column import DerivedColumn, Fitted
from seisvision.data.derived.deriving import fit_columns, lacking, with_derived
from seisvision.data.samples.network import WHERE_PLACES_COME_FROM, WORKS_WITHOUT, StationNetwork
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.splitting.split import Split
from seisvision.errors import CheckpointError, ConfigurationError, DataError
from seisvision.experiments.waveforms.settings import DatasetSettings, Settings, cut_settings, output_settings
from seisvision.experiments.waveforms.trained import TrainedNetwork
from seisvision.public import DERIVED, MODEL
from seisvision.records.configuration import instantiate
from seisvision.records.trust.faces import find_face
from seisvision.views.view import View

log = logging.getLogger(__name__)


def derived_columns(config: Settings) -> dict[str, DerivedColumn]:
    """The derived columns of an experiment by name, not fitted yet.

    Raises:
        ConfigurationError: one is not described as it should be, or its name does not say of what it is.
    """
    columns = {str(name): instantiate(spec, DERIVED) for name, spec in (config.dataset.derive or {}).items()}
    for name, column in columns.items():
        if name.startswith("source_") != column.of_event:
            what = "events: begin its name" if column.of_event else "single traces: do not begin its name"
            raise ConfigurationError(
                f"dataset.derive.{name} says something of {what} with source_, as the columns of events do."
            )
    return columns


def check_derived(config: Settings) -> None:
    """Refuse uses of derived columns that would need them before the training part is known.

    Raises:
        ConfigurationError: the split or the selection asks for one, or an output takes classes for numbers.
    """
    columns = derived_columns(config)
    if not columns:
        return
    outputs = output_settings(config)
    first = next(iter(outputs), {})
    if config.split.stratify and config.split.column is None and "class_names" in first and first["target"] in columns:
        raise ConfigurationError(
            f"split.stratify=true would deal events by the classes of '{first['target']}', which follow from the "
            "training part and so from the split. Set split.stratify=false, or put another output first."
        )
    selected = sorted(set(config.dataset.select or {}) & set(columns))
    if selected:
        raise ConfigurationError(
            f"dataset.select.{selected[0]} selects by a derived column, which is not known before the training part "
            "is. Select by the columns it is made of."
        )
    for output in outputs:
        column = columns.get(output.get("target", ""))
        if column is not None and bool(column.class_names) != ("class_names" in output):
            holds = "classes" if column.class_names else "numbers"
            raise ConfigurationError(
                f"task.outputs.{output['name']}.target={output['target']} is not allowed: dataset.derive makes a "
                f"column of {holds} of it. Choose an output for {holds}."
            )


def fit_derived(config: Settings, waveform_set: WaveformSet, split: Split) -> dict[str, Fitted]:
    """What the training part decides of the derived columns; with ``split.refit`` the validation part goes along.

    Raises:
        ConfigurationError: the set has a column of that name already.
        DataError: it lacks what a column is made of, or the training part is too small.
    """
    columns = derived_columns(config)
    for name, column in columns.items():
        if name in waveform_set.table:
            raise ConfigurationError(
                f"dataset.derive.{name} would hide a column of {waveform_set.path}. Give the derived one another name."
            )
        if missing := lacking(waveform_set, column):
            raise DataError(f"dataset.derive.{name} is made of {', '.join(missing)}, which {waveform_set.path} lacks.")
    parts = ("train", "val") if config.split.refit else ("train",)
    training = [name for part in parts for name in split.parts.get(part, ())]
    fitted = fit_columns(waveform_set, columns, training, split.unit) if columns else {}
    for name, values in fitted.items():
        log.info("derived  %s from %d training %ss: %s", name, len(training), split.unit, _told(values))
    return fitted


def _told(fitted: Fitted) -> str:
    return "; ".join(f"{name} {', '.join(f'{value:.6g}' for value in one)}" for name, one in fitted.items()) or "as is"


def stored_derived(config: Settings, trained: TrainedNetwork) -> dict[str, Fitted]:
    """What was fitted when a network was trained, as its checkpoint says.

    Raises:
        CheckpointError: it does not say it of all columns, or what it says no training would give.
    """
    stored = trained.content.get("derived") or {}
    columns = derived_columns(config)
    for name, column in columns.items():
        if name not in stored:
            raise CheckpointError(
                f"{trained.path} was tampered with or is damaged: it does not say how its column '{name}' was derived."
            )
        try:
            column.check(stored[name])
        except ValueError as error:
            raise CheckpointError(
                f"{trained.path} was tampered with or is damaged: what it says of its derived column '{name}' comes "
                f"from no training: {error}."
            ) from error
    return {name: stored[name] for name in columns}


def derive_again(config: Settings, trained: TrainedNetwork, waveform_set: WaveformSet) -> WaveformSet:
    """A set with the columns that were derived in the training of a network; those it cannot have are left out.

    Raises:
        CheckpointError: see :func:`stored_derived`.
    """
    fitted = stored_derived(config, trained)
    columns = {}
    for name, column in derived_columns(config).items():
        if missing := lacking(waveform_set, column):
            log.warning("%s is not derived, for %s lacks %s", name, waveform_set.path, ", ".join(missing))
        else:
            columns[name] = column
    return with_derived(waveform_set, columns, fitted)


def derived_as_trained(dataset: Mapping[str, Any], trained: DatasetSettings) -> dict[str, Any]:
    """The settings of another set, its derived columns and their classes those of the training.

    Raises:
        ConfigurationError: it asks for others.
    """
    derive = dict(trained.derive or {})
    if dataset.get("derive") and dict(dataset["derive"]) != derive:
        raise ConfigurationError(
            f"dataset.derive names {', '.join(dataset['derive'])}, but a network knows only what it was trained on, "
            f"which derives {', '.join(derive) or 'nothing'}. Leave dataset.derive out."
        )
    labels = {name: trained.labels[name] for name in derive if name in trained.labels}
    return {**dataset, "derive": trained.derive, "labels": {**(dataset.get("labels") or {}), **labels}}


def network_settings(
    config: Settings, view: View, waveform_set: WaveformSet, split: Split, trained: TrainedNetwork | None
) -> dict[str, Any]:
    """``network`` for :class:`EventSamples`, or nothing where the settings name none.

    Args:
        config: resolved configuration.
        view: says what a sample is.
        waveform_set: the set.
        split: of the events; with ``split.refit`` the validation part counts as training.
        trained: the network of a finished training, whose stations are then taken.

    Raises:
        ConfigurationError: the view has another number of slots than the network has stations, or draws from places
            that the set does not have; samples are single traces; or stations would have no slots where a network
            learns which is which.
    """
    if trained is not None:
        return stored_network(trained)
    asked = cut_settings(config, view).get("network")
    if asked is None or asked.get("fixed", True) is False:
        _check_any_order(config, view)
    if asked is None:
        return {}
    if view.unit != "event":
        raise ConfigurationError(
            f"dataset.samples.network is about whole events, but {config.view['_target_']} draws single traces; set "
            "view=station_matrix, or dataset.samples.network=null."
        )
    parts = ("train", "val") if config.split.refit else ("train",)
    training = [name for part in parts for name in split.parts.get(part, ())]
    network = StationNetwork.of(waveform_set, training, asked)
    if view.uses_station_places and not network.has_places:
        raise ConfigurationError(
            f"{config.view['_target_']} draws from where stations stand, but no station of the network has "
            f"coordinates in {waveform_set.path}. {WORKS_WITHOUT} {WHERE_PLACES_COME_FROM}"
        )
    wanted = getattr(view, "n_stations", None)
    if network.fixed and wanted is not None and wanted != len(network):
        raise ConfigurationError(
            f"view.n_stations={wanted}, but the network of {waveform_set.path} has {len(network)} stations "
            f"({', '.join(network.names[:4])}, ...). Set view.n_stations={len(network)}, or name {wanted} of them in "
            "dataset.samples.network.stations."
        )
    log.info("stations %d, coordinates count from %.4f, %.4f degrees", len(network), *network.origin_deg)
    return {"network": network}


def _check_any_order(config: Settings, view: View) -> None:
    """Refuse networks that learn which station is which where stations come as they recorded an event.

    Batches would pad events to their longest, and what stands in a row, even the number of rows, would be chance.
    """
    if view.fixed_stations:
        what = f"{config.view['_target_']}, which puts stations below each other,"
    else:
        if not getattr(find_face(MODEL, config.model["_target_"], "model"), "fixed_stations", False):
            return
        what = config.model["_target_"]
    raise ConfigurationError(
        f"{what} needs a place for each station, in an order that stays. Set dataset.samples.network={{stations: "
        "training, fixed: true}, or model=station_transformer, which takes stations in any order."
    )


def check_slots_elsewhere(config: Settings, trained: TrainedNetwork) -> None:
    """Refuse to ask a finished network about another set where it learnt which row is which station, but not which.

    Networks are no longer trained so; those of earlier versions may have been.

    Args:
        config: resolved configuration, its model that of the training.
        trained: the network; where it knows its stations, each keeps its slot and the others are left out.

    Raises:
        CheckpointError: see :func:`stored_network`.
        ConfigurationError: its checkpoint does not say which station stands in which row.
    """
    network = stored_network(trained).get("network")
    if network is not None and network.fixed:
        return
    try:
        _check_any_order(config, trained.task.view)
    except ConfigurationError as error:
        raise ConfigurationError(
            f"{trained.path} was trained without a place for each station, so it cannot be asked about another set: "
            f"nobody knows which row it takes for which station. Train it again: {error}"
        ) from error


def stored_network(trained: TrainedNetwork) -> dict[str, Any]:
    """The same of a finished training, as its checkpoint says.

    Raises:
        CheckpointError: what it says no training would give.
    """
    stored = trained.content.get("network")
    if stored is None:
        return {}
    try:
        return {"network": StationNetwork.from_plain(stored)}
    except (ValueError, TypeError, KeyError) as error:
        raise CheckpointError(
            f"{trained.path} was tampered with or is damaged: its stations come from no training: {error}."
        ) from error
