"""Hypocentres of Mount Baker from the phase readings of the Pacific Northwest Seismic Network, beside its catalogue.

    OMP_NUM_THREADS=1 python benchmarks/mount_baker_picks.py mt_baker_phases.csv.gz

The readings are those of the repository pnsn/Mt_Baker_LF_Research (GPL-3). They say how far and in which direction each
station lies, which gives its place; elevations are taken as 0.5 km but for the stations on the mountain. Static
corrections are fitted on every second event, and both rows are of the others.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
import torch
from measuring import tell_machine

from seisvision.earth.geodesics import geodesic
from seisvision.earth.travel_time_table import TravelTimes
from seisvision.earth.unit_vectors import coordinates_deg, moved, unit_vectors
from seisvision.location.arrivals.hypocentres import Hypocentres
from seisvision.location.arrivals.locate import locate_arrivals
from seisvision.location.arrivals.statics import fit_statics, of_picks

FARTHEST_KM = 150.0
FEWEST_STATIONS, FEWEST_PICKS = 4, 6
ELEVATION_KM = {"MBW": 1.676, "MBW2": 1.5, "SHUK": 1.8}
TOPS_KM = [0.0, 1.0, 3.5, 10.0, 18.0, 34.0, 43.0]
VP_KM_S = [5.1, 6.0, 6.2, 6.6, 6.8, 7.1, 7.8]
VP_VS = 1.73
"""Velocities of the Cascades, not those with which the catalogue was made."""


def readings(path: str) -> pd.DataFrame:
    """P and S of events with enough of them, one of a phase and station, with the place of the station."""
    table = pd.read_csv(path, converters=dict.fromkeys(("net", "sta"), str))
    table = table[table["iphase"].isin(["P", "S"]) & np.isfinite(table["delta"]) & np.isfinite(table["seaz"])]
    event = unit_vectors(torch.tensor(table["lat"].to_numpy()), torch.tensor(table["lon"].to_numpy()))
    turn, way = np.radians(table["seaz"].to_numpy()), table["delta"].to_numpy()
    place = coordinates_deg(moved(event, torch.tensor(way * np.cos(turn)), torch.tensor(way * np.sin(turn))))
    table["station"] = table["net"] + "." + table["sta"]
    table = table.assign(latitude_deg=place[0].numpy(), longitude_deg=place[1].numpy())
    middle = table.groupby("station")[["latitude_deg", "longitude_deg"]].transform("median")
    table[["latitude_deg", "longitude_deg"]] = middle
    table = table[table["delta"] < FARTHEST_KM].drop_duplicates(["evid", "station", "iphase"])
    groups = table.groupby("evid")["station"]
    enough = (groups.transform("nunique") >= FEWEST_STATIONS) & (groups.transform("size") >= FEWEST_PICKS)
    return table[enough]


def batch(table: pd.DataFrame) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """What `locate_arrivals` takes (B, S), and the number of station and phase of each pick (B, S), -1 for none."""
    event = pd.factorize(table["evid"])[0]
    pick = table.groupby("evid").cumcount().to_numpy()
    shape = event.max() + 1, pick.max() + 1

    def spread(values: object, fill: float = np.nan) -> np.ndarray:
        whole = np.full(shape, fill)
        whole[event, pick] = values
        return whole

    first = table.groupby("evid")["datetime"].transform("first")
    is_s = (table["iphase"] == "S").to_numpy()
    picks = {
        "station_latitude_deg": spread(table["latitude_deg"]),
        "station_longitude_deg": spread(table["longitude_deg"]),
        "station_elevation_km": spread(table["sta"].map(ELEVATION_KM).fillna(0.5)),
        "phase": spread(is_s, -1),
        "time_s": spread(table["datetime.1"] - first),
        "sigma_s": spread(np.where(is_s, 0.2, 0.1)),
    }
    picks["mask"] = np.isfinite(picks["time_s"])
    return picks, spread(pd.factorize(table["station"] + table["iphase"])[0], -1).astype(int)


def report(name: str, found: Hypocentres, catalogue: pd.DataFrame) -> None:
    """Distances to the catalogue, and how large the residuals are."""
    located = found.located.numpy()
    place = found.latitude_deg.numpy()[located], found.longitude_deg.numpy()[located]
    there = catalogue[located]
    apart_km = geodesic(*place, there["lat"].to_numpy(), there["lon"].to_numpy())[0]
    deeper_km = found.depth_km.numpy()[located] - there["depth"].to_numpy()
    print(
        f"{name}: {located.sum()} events, epicentres {np.median(apart_km):.2f} km from the catalogue (median; 90 % "
        f"within {np.quantile(apart_km, 0.9):.2f}), depths {np.median(deeper_km):+.2f} km, residuals "
        f"{np.median(found.rms_s.numpy()[located]):.3f} s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("readings", help="mt_baker_phases.csv, may be packed")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    tell_machine()
    table = readings(arguments.readings)
    picks, station = batch(table)
    catalogue = table.groupby("evid", sort=False).first()
    vp = np.array(VP_KM_S)
    times = TravelTimes.layered(TOPS_KM, vp, vp / VP_VS, max_distance_km=250, max_depth_km=40, elevations_km=(0, 2.5))
    fitted = np.arange(len(catalogue)) % 2 == 0

    def located(rows: np.ndarray, statics: torch.Tensor | np.ndarray | None = None) -> Hypocentres:
        some = {name: values[rows] for name, values in picks.items()}
        return locate_arrivals(**some, travel_times=times, depth_limits_km=(-2, 40), statics=statics)

    report("as they are", located(~fitted), catalogue[~fitted])
    corrections, _ = fit_statics(lambda statics: located(fitted, statics), station[fitted], rounds=2)
    report("with static corrections", located(~fitted, of_picks(corrections, station[~fitted])), catalogue[~fitted])


if __name__ == "__main__":
    main()
