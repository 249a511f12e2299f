"""What networks pick where nothing arrives, and how far their picks on a network of stations agree.

    python benchmarks/false_picks.py NAME=CKPT ... [--archive FOLDER --stations stations.csv --rate 250] [--hours 3]

Noise: three components, white, pink (power as 1/f) and red (1/f**2), so many hours each; everything picked is false.
Agreement: of an archive, events that five or more stations tell by one phase, and as many where the stations are
shifted against each other at random, which are events by chance. Settings are those of ``seisvision pick``.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from pathlib import Path

import numpy as np
import pymseed
import torch
from measuring import tell_machine

from seisvision.archives.day_picking import DayPicker
from seisvision.archives.pick_table import ArchivePick
from seisvision.archives.reading.listing import list_archive
from seisvision.archives.reading.sensor_days import plan_days
from seisvision.archives.settings import PickSettings
from seisvision.data.importing.tables.times import NS, time_ns
from seisvision.earth.geodesics import geodesic
from seisvision.experiments.waveforms.pickers import open_picker

START_NS = time_ns("2020-03-01T00:00:00Z")
SLOPES = {"white": 0.0, "pink": 0.5, "red": 1.0}
"""Power of the frequency with which amplitudes fall."""
ICE_KM_S = {"P": 3.84, "S": 1.95}
SLACK_S = 0.1
FEWEST = 5
SHIFTS = 10
"""Draws of shifted stations."""


def write_noise(folder: Path, colour: str, hours: float, rate_hz: float) -> None:
    """An archive of a station that hears noise of a colour between 0.1 Hz and half the rate."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    n_samples = round(hours * 3600 * rate_hz)
    frequency = np.fft.rfftfreq(n_samples, 1 / rate_hz)
    weights = np.maximum(frequency, 0.1) ** -SLOPES[colour]
    for letter in "ZNE":
        samples = np.fft.irfft(np.fft.rfft(rng.standard_normal(n_samples)) * weights, n_samples)
        counts = np.round(1000 * samples / samples.std()).astype(np.int32)
        with pymseed.MS3TraceList() as traces:
            traces.add_data(f"FDSN:XX_AAA__H_H_{letter}", counts, "i", rate_hz, starttime=START_NS)
            traces.to_file(folder / f"HH{letter}.mseed", format_version=2, max_record_length=512)


def picks_of(picker: DayPicker, folder: Path) -> list[ArchivePick]:
    """All picks of an archive."""
    return [pick for day in plan_days(list_archive([str(folder)])[0])[0] for pick in picker.pick(day).picks]


def distances_km(path: Path) -> dict[tuple[str, str], float]:
    """Between all stations of a table."""
    with path.open(newline="") as file:
        places = {
            row["station_code"]: (float(row["station_latitude_deg"]), float(row["station_longitude_deg"]))
            for row in csv.DictReader(file)
        }
    return {
        (one, other): float(geodesic(*places[one], *(np.array([value]) for value in places[other]))[0][0])
        for one in places
        for other in places
    }


def events(
    times_s: list[tuple[float, str]], reach_s: dict[tuple[str, str], float], widest_s: float
) -> list[list[tuple[float, str]]]:
    """Sets of picks (time, station) on :data:`FEWEST` or more stations that one event can have made, the first first.

    Args:
        times_s: picks of one phase.
        reach_s: how far the picks of two stations may lie apart.
        widest_s: the largest of these.
    """
    left, found = sorted(times_s), []
    while left:
        members = [left[0]]
        for time_s, station in left[1:]:
            if time_s - left[0][0] > widest_s:
                break
            fits = all(station != own and time_s - at_s <= reach_s[own, station] for at_s, own in members)
            members += [(time_s, station)] if fits else []
        if len(members) >= FEWEST:
            found.append(members)
            left = [one for one in left if one not in members]
        else:
            left = left[1:]
    return found


def tell_agreement(picks: list[ArchivePick], distance_km: dict[tuple[str, str], float]) -> None:
    """Print how many events several stations tell, and how many by chance."""
    stations = sorted({pick.station for pick in picks})
    for phase, speed_km_s in ICE_KM_S.items():
        own = [((pick.time_ns - START_NS) / NS, pick.station) for pick in picks if pick.phase == phase]
        reach_s = {pair: km / speed_km_s + SLACK_S for pair, km in distance_km.items()}
        told = events(own, reach_s, max(reach_s.values()))
        chance = []
        for draw in range(SHIFTS):
            rng = np.random.default_rng(draw)
            shift_s = dict(zip(stations, rng.uniform(0, 3600, len(stations)), strict=True))
            shifted = [((time_s + shift_s[station]) % 3600, station) for time_s, station in own]
            chance.append(len(events(shifted, reach_s, max(reach_s.values()))))
        print(
            f"  {phase}: {len(own)} picks, {len(told)} events on {FEWEST} or more stations "
            f"({sum(map(len, told))} picks), {np.mean(chance):.1f} by chance"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="+", metavar="NAME=CKPT", help="as --ckpt of seisvision pick, with a name")
    parser.add_argument("--archive", type=Path, help="of an hour of several stations")
    parser.add_argument("--stations", type=Path, help="their places")
    parser.add_argument("--rate", type=float, help="at which the network gets the archive; default its own")
    parser.add_argument("--hours", type=float, default=3.0, help="of noise of each colour")
    parser.add_argument("--threshold", type=float, default=0.3)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    tell_machine()
    with tempfile.TemporaryDirectory() as folder:
        for colour in SLOPES:
            write_noise(Path(folder) / colour, colour, asked.hours, 100.0)
        for word in asked.networks:
            name, _, path = word.partition("=")
            network, thresholds = open_picker(Path(path)), dict.fromkeys("PS", asked.threshold)
            print(f"{name}, threshold {asked.threshold:g}", flush=True)
            picker = DayPicker(network, PickSettings(thresholds=thresholds))
            for colour in SLOPES:
                picks = picks_of(picker, Path(folder) / colour)
                n_first = sum(pick.time_ns - START_NS < NS for pick in picks)
                print(
                    f"  {colour} noise: {(len(picks) - n_first) / asked.hours:.2f} false picks an hour, "
                    f"and {n_first} in the first second of the recording",
                    flush=True,
                )
            if asked.archive is not None and asked.stations is not None:
                picker = DayPicker(network, PickSettings(thresholds=thresholds, rate_hz=asked.rate))
                tell_agreement(picks_of(picker, asked.archive), distances_km(asked.stations))


if __name__ == "__main__":
    main()
