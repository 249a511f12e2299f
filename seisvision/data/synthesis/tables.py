"""Tables of an Earth model that synthesis needs, made once (seconds) and kept in a small file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seisvision.data.synthesis.parameters import GENERATOR_VERSION
from seisvision.earth.modes import ModeTable, love_modes, rayleigh_modes
from seisvision.earth.profile import EarthProfile, earth_profile
from seisvision.earth.travel_times import RayTables, ray_tables
from seisvision.files import keep_if_possible, whole_file
from seisvision.stored_arrays import read_arrays

_MODE_COLUMNS = ("omega", "phase_velocity", "group_velocity", "energy", "quality")


@dataclass(frozen=True)
class EarthTables:
    """All that synthesis knows of the Earth: elastic profile, ray tables, fundamental modes and noise models."""

    profile: EarthProfile
    rays: RayTables
    love: ModeTable
    rayleigh: ModeTable
    noise: np.ndarray
    """(Q, 3) float64: period (s) and Peterson's (1993) low and high noise model, dB re 1 (m/s2)2/Hz."""


def earth_tables(model: str, cache_dir: Path | None = None) -> EarthTables:
    """Tables of ``model``, read from ``cache_dir`` when they are there, else made and put there.

    Several processes may do this at once: each writes a file of its own and renames it, and all files are equal.
    """
    if cache_dir is None:
        return make_earth_tables(model)
    path = Path(cache_dir) / f"earth-{model}-v{GENERATOR_VERSION}.npz"
    try:
        return _read(path)
    # Absent or damaged: either way it is made again.
    except (OSError, KeyError, ValueError):
        tables = make_earth_tables(model)
        keep_if_possible(lambda path: _write(path, tables), path)
        return tables


def make_earth_tables(model: str) -> EarthTables:
    """Compute the tables of one of ObsPy's bundled Earth models."""
    profile = earth_profile(model)
    return EarthTables(profile, ray_tables(model), love_modes(profile), rayleigh_modes(profile), peterson_models())


def peterson_models() -> np.ndarray:
    """Noise models of Peterson (1993), (Q, 3) float64: period (s), low and high model (dB re 1 (m/s2)2/Hz)."""
    from obspy.signal.spectral_estimation import get_nhnm, get_nlnm

    low_period, low_db = (np.asarray(values, dtype=float) for values in get_nlnm())
    high_period, high_db = (np.asarray(values, dtype=float) for values in get_nhnm())
    period = np.unique(np.concatenate([low_period, high_period]))
    low = np.interp(np.log(period), np.log(low_period[::-1]), low_db[::-1])
    high = np.interp(np.log(period), np.log(high_period[::-1]), high_db[::-1])
    return np.stack([period, low, high], axis=1)


def _write(path: Path, tables: EarthTables) -> None:
    arrays: dict[str, Any] = {"profile": tables.profile.layers, "noise": tables.noise}
    arrays |= {f"rays.{name}": values for name, values in asdict(tables.rays).items()}
    for wave in ("love", "rayleigh"):
        mode: ModeTable = getattr(tables, wave)
        arrays |= {f"{wave}.{name}": getattr(mode, name) for name in _MODE_COLUMNS}
        arrays |= {f"{wave}.shape.{name}": values for name, values in mode.eigenfunctions.items()}
    with whole_file(path) as partial:
        np.savez_compressed(partial, **arrays)


def _read(path: Path) -> EarthTables:
    arrays = read_arrays(path)
    rays = {name.removeprefix("rays."): values for name, values in arrays.items() if name.startswith("rays.")}
    return EarthTables(
        profile=EarthProfile(arrays["profile"]),
        rays=RayTables(**rays),
        love=_mode_table(arrays, "love"),
        rayleigh=_mode_table(arrays, "rayleigh"),
        noise=arrays["noise"],
    )


def _mode_table(arrays: dict[str, np.ndarray], wave: str) -> ModeTable:
    prefix = f"{wave}.shape."
    shapes = {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}
    return ModeTable(**{name: arrays[f"{wave}.{name}"] for name in _MODE_COLUMNS}, eigenfunctions=shapes)
