"""Hypocentres of the swarm of Bardarbunga from the picks that came with its recordings, beside its catalogue.

    OMP_NUM_THREADS=1 python benchmarks/bardarbunga_picks.py FOLDER

The folder is that of the worked example (``events.csv``, ``stations.csv`` and ``waveforms/*_picks.csv``), taken from an
example of QuakeMigrate (GPL-3): automatic P and S picks with their uncertainties. Velocities are those of the SIL
network of South Iceland by depth (Stefansson et al. 1993, Bull. Seism. Soc. Am. 83, 696-716) as we remember them, Vp/Vs
1.78.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
import torch
from measuring import tell_machine

from seisvision.earth.geodesics import geodesic
from seisvision.earth.travel_time_table import TravelTimes
from seisvision.location.arrivals.locate import locate_arrivals

DEPTHS_KM = [0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 9.0, 20.0]
VP_KM_S = [3.53, 4.47, 5.16, 5.60, 5.96, 6.50, 6.73, 7.20]
VP_VS = 1.78
LAYER_KM = 0.5
LIMITS_KM = (-1.0, 16.0)
REACH = {"max_distance_km": 120.0, "max_depth_km": 20.0, "elevations_km": (0.0, 2.0)}


def layered() -> TravelTimes:
    """Velocities that rise along straight lines between the depths, in steps of half a kilometre."""
    top = np.arange(0.0, 20.0, LAYER_KM)
    vp = np.interp(top + LAYER_KM / 2, DEPTHS_KM, VP_KM_S)
    return TravelTimes.layered(top, vp, vp / VP_VS, **REACH)


def picks(folder: Path) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """The catalogue, and what `locate_arrivals` takes of it (B, S)."""
    catalogue = pd.read_csv(folder / "events.csv", dtype={"event_id": str})
    stations = pd.read_csv(folder / "stations.csv").set_index("station")
    tables = [pd.read_csv(folder / "waveforms" / f"{event}_picks.csv") for event in catalogue["event_id"]]
    shape = len(tables), max(map(len, tables))
    observed = {name: np.full(shape, np.nan) for name in ("time_s", "sigma_s")}
    for name in ("latitude_deg", "longitude_deg", "elevation_km"):
        observed[f"station_{name}"] = np.full(shape, np.nan)
    observed["phase"] = np.full(shape, "?", dtype=object)
    for row, (table, origin) in enumerate(zip(tables, catalogue["source_origin_time"], strict=True)):
        made = (table["PickTime"].astype(str) != "-1").to_numpy()
        since = pd.to_datetime(table["PickTime"].where(made), utc=True) - pd.Timestamp(origin)
        place = stations.loc[table["Station"]]
        n = len(table)
        observed["time_s"][row, :n] = since.dt.total_seconds()
        observed["sigma_s"][row, :n] = table["PickError"]
        observed["phase"][row, :n] = table["Phase"]
        for name in ("latitude_deg", "longitude_deg"):
            observed[f"station_{name}"][row, :n] = place[name]
        observed["station_elevation_km"][row, :n] = place["elevation_m"] / 1000
    observed["mask"] = np.isfinite(observed["time_s"])
    return catalogue, observed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="with events.csv, stations.csv and waveforms")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    tell_machine()
    catalogue, observed = picks(arguments.folder)
    models = {"SIL": layered()} | {f"{vp} km/s": TravelTimes.constant(vp, vp / VP_VS) for vp in (5.5, 6.0)}
    for name, times in models.items():
        found = locate_arrivals(**observed, travel_times=times, depth_limits_km=LIMITS_KM)
        there = catalogue["source_latitude_deg"].to_numpy(), catalogue["source_longitude_deg"].to_numpy()
        apart_km = geodesic(found.latitude_deg.numpy(), found.longitude_deg.numpy(), *there)[0]
        deeper_km = found.depth_km.numpy() - catalogue["source_depth_km"].to_numpy()
        print(
            f"{name}: {int(found.located.sum())} events, epicentres {np.nanmedian(apart_km):.2f} km from the catalogue "
            f"(median; farthest {np.nanmax(apart_km):.2f}), depths {np.nanmedian(deeper_km):+.2f} km (median), "
            f"residuals {np.nanmedian(found.rms_s.numpy()):.3f} s"
        )


if __name__ == "__main__":
    main()
