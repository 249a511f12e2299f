"""Settings that do not go together are refused before anything is made or trained."""

from __future__ import annotations

import logging

import numpy as np

from seisvision.base.units import unit_named
from seisvision.errors import ConfigurationError
from seisvision.experiments.waveforms.settings import Settings, cut_settings, output_settings
from seisvision.location.choices import LEVELS, MODES
from seisvision.outputs.places.output import PlaceBase
from seisvision.records.trust.faces import OUTPUT, find_face
from seisvision.views.view import View

log = logging.getLogger(__name__)

TURNED = ("rotation_target", "back_azimuth_target")
"""Settings of ``augment`` that name an angle."""
TRACE_SPLITS = ("trace", "station")
"""Values of ``split.by`` that deal traces, not events."""
SAME_LEAD_S = 0.5
"""Windows begin at the same time before the origin where the standard deviation over the training is below this."""


def check_split(config: Settings, view: View) -> None:
    """Refuse to deal single traces where samples are whole events, before a set is made.

    Raises:
        ConfigurationError: names the setting.
    """
    if config.split.by in TRACE_SPLITS and not unit_named(view.unit).numbers_rows:
        plural = unit_named(view.unit).plural
        raise ConfigurationError(
            f"split.by={config.split.by} deals single traces, but {config.view['_target_']} draws {plural}. "
            "Choose split=careful, or a view of single traces such as view=spectrogram."
        )


def check_location(config: Settings, view: View) -> None:
    """Refuse a location that could not be made of what will be predicted, before anything is trained.

    Raises:
        ConfigurationError: no output in km of single traces has that name, or mode or level are not allowed.
    """
    settings = config.location
    if settings is None:
        return
    if config.split.by in TRACE_SPLITS:
        raise ConfigurationError(
            f"location needs an event's traces in one part, but split.by={config.split.by} deals them apart. "
            "Choose split=careful, or location=none."
        )
    if config.dataset.cuts_noise:
        raise ConfigurationError(
            "dataset.traces.noise cuts windows without an event, which have no distance, so that location would place "
            "events by noise. Choose location=none, or dataset.traces.noise=null."
        )
    distances = [output["name"] for output in output_settings(config) if output.get("unit") == "km"]
    if view.unit != "trace" or settings["output"] not in distances:
        raise ConfigurationError(
            f"location.output={settings['output']} must be a distance in km from single traces; of these there are: "
            f"{', '.join(distances) if view.unit == 'trace' and distances else 'none'}. Choose task=offset with a view "
            "of single traces, or location=none."
        )
    if settings["mode"] == "single":
        _check_single(config)
        return
    if settings["mode"] not in MODES or settings["level"] not in LEVELS:
        raise ConfigurationError(
            f"location.mode={settings['mode']} must be one of {', '.join(MODES)} and location.level="
            f"{settings['level']} one of {', '.join(map(str, LEVELS))}."
        )


def check_origin(config: Settings, view: View) -> None:
    """Refuse pictures that would give away what an output is asked to find without the origin time.

    Raises:
        ConfigurationError: the view draws from the origin time, or windows are aligned to it or may show where the
            recording begins or ends.
    """
    for output in output_settings(config):
        if not output.get("hides_origin"):
            continue
        if view.uses_origin:
            raise ConfigurationError(
                f"Output '{output['name']}' must be found without the origin time, but {config.view['_target_']} "
                "draws from it. Choose another view, such as view=spectrogram."
            )
        window = cut_settings(config, view)["window"]
        if window["reference"] not in ("onset", "random") or not window.get("complete"):
            raise ConfigurationError(
                f"Output '{output['name']}' must be found without the origin time, but the window has "
                f"reference={window['reference']} and complete={window.get('complete', False)}, so that the time since "
                "the origin can be read off the picture. Choose single traces (view=spectrogram "
                "dataset=synthetic_traces), or set reference to onset or random, and complete=true."
            )


def check_places(config: Settings, view: View) -> None:
    """Refuse to look for places in what was drawn from the true place or from the origin time.

    An output with a stated ``hides_origin=false`` may know both: to learn how much they give away.

    Raises:
        ConfigurationError: the view draws from the origin or the epicentre, or windows are aligned to the origin.
    """
    name = _guarded_place(config)
    if name is None:
        return
    allow = f"To allow it all the same, set +task.outputs.{name}.hides_origin=false."
    if view.uses_origin or view.uses_epicentre:
        raise ConfigurationError(
            f"Output '{name}' is asked for a place, but {config.view['_target_']} draws from true distances or the "
            f"origin time. Choose another view, such as view=station_matrix. {allow}"
        )
    if cut_settings(config, view)["window"]["reference"] == "origin":
        raise ConfigurationError(
            f"Output '{name}' is asked for a place, but window.reference=origin puts the origin time at the same "
            f"sample of every window: arrivals are travel times then. Set window.reference to trace. {allow}"
        )


def tell_same_lead(config: Settings, start_s: np.ndarray) -> None:
    """Warn where windows of training events begin at the same time before the origin and places are asked for.

    Args:
        config: resolved configuration.
        start_s: (N,) starts of the windows after the origin time, NaN where it is not known.
    """
    known_s = start_s[np.isfinite(start_s)]
    if _guarded_place(config) is None or len(known_s) < 2 or known_s.std() >= SAME_LEAD_S:
        return
    log.warning(
        "Windows begin at the same time before the origin (%.1f s, standard deviation %.2f s): the network is told the "
        "origin time; places it finds are conditional on that. dataset.samples.window.jitter_s moves windows.",
        -known_s.mean(), known_s.std(),
    )  # fmt: skip


def _guarded_place(config: Settings) -> str | None:
    """Name of an output that is asked for a place and may not know the origin."""
    for output in output_settings(config):
        if "columns" not in output or output.get("hides_origin") is False:
            continue
        found = find_face(OUTPUT, output["_target_"], "task.outputs")
        if isinstance(found, type) and issubclass(found, PlaceBase):
            return str(output["name"])
    return None


def check_truncation(config: Settings, view: View) -> None:
    """Refuse to show the beginning of events to a view that draws all the same, or cut by what comes later.

    Raises:
        ConfigurationError: names the setting.
    """
    for group, settings in (("augment", config.augment), ("view", config.view)):
        truncate_s = (settings or {}).get("truncate_s")
        if truncate_s is None:
            continue
        if not view.sees_truncation:
            raise ConfigurationError(
                f"{group}.truncate_s={truncate_s}, but {config.view['_target_']} draws what comes later, "
                f"too. Choose view=station_matrix or view=station_triggers, or {group}.truncate_s=null."
            )
        window = cut_settings(config, view)["window"]
        if window["reference"] == "onset":
            raise ConfigurationError(
                f"{group}.truncate_s={truncate_s}, but window.reference=onset puts the window at the "
                "median onset of all stations, most of which come later. Set window.reference to trace, or "
                f"{group}.truncate_s=null."
            )


def check_augmentation(config: Settings) -> None:
    """Refuse to turn an angle that nothing learns, before a set is made.

    Raises:
        ConfigurationError: names the setting.
    """
    learnt = [output["target"] for output in output_settings(config) if "target" in output]
    for setting in TURNED:
        column = (config.augment or {}).get(setting)
        if column is not None and column not in learnt:
            raise ConfigurationError(
                f"augment.{setting}={column} is not among the targets of the task: {', '.join(learnt) or 'none'}. "
                "Name the angle that is learnt, or choose augment=light."
            )


def _check_single(config: Settings) -> None:
    """Refuse to locate from single stations without an angle, or with settings that are not allowed."""
    settings = config.location or {}
    kinds = {output["name"]: output for output in output_settings(config)}
    azimuth, travel = settings["back_azimuth"], settings["p_travel"]
    is_angle = azimuth == "polarisation" or "period_deg" in kinds.get(azimuth, {})
    if not is_angle or (travel is not None and kinds.get(travel, {}).get("unit") != "s"):
        raise ConfigurationError(
            f"location=single needs a back azimuth (location.back_azimuth={azimuth}) and, unless it is null, a travel "
            f"time in s (location.p_travel={travel}); outputs are {', '.join(kinds)}. Choose task=single_station."
        )
    if settings["level"] not in LEVELS or not float(settings["max_depth_km"]) > 0:
        raise ConfigurationError(
            f"location.level={settings['level']} must be one of {', '.join(map(str, LEVELS))}, and "
            f"location.max_depth_km={settings['max_depth_km']} above 0."
        )
