"""How late onsets are found, and how far filters move arrivals: bands, rates and signal-to-noise ratios.

``OMP_NUM_THREADS=1 python benchmarks/onsets.py [--records 60] [--seed 0]`` prints a table. An arrival is noise that
sets in at a known time and decays over six seconds; its strength is the amplitude ratio of its strongest half second to
the noise, in the band in which the onset is sought. Errors are found minus true, in ms: median and median deviation.

- ``causal``: set filtered causally, onset found in that, as versions before did;
- ``zero phase``: set filtered with zero phase, onset found in that, which comes early;
- ``copy``: onset found in a causally filtered copy;
- ``import``: the same less the typical delay, which is what an import does.

``delay`` is the group delay of the causal filter of the set.
"""

from __future__ import annotations

import argparse

import numpy as np
from measuring import tell_machine

from seisvision.data.importing.series.band import band_pass, delay_s
from seisvision.picking.first_motion import delay_s as onset_delay_s
from seisvision.picking.first_motion import detect_onset

Band = tuple[float, float]
CASES: tuple[tuple[float, Band, Band], ...] = (
    (40.0, (1.0, 10.0), (1.0, 10.0)),
    (50.0, (3.0, 20.0), (5.0, 18.0)),
    (50.0, (1.0, 20.0), (2.0, 12.0)),
    (100.0, (1.0, 20.0), (2.0, 12.0)),
    (20.0, (1.0, 8.0), (2.0, 8.0)),
    (10.0, (0.05, 4.0), (2.0, 4.0)),
)
"""Sampling rate, band of the set, band of the onsets."""
STRENGTHS = (6.0, 12.0, 30.0, 100.0, 1000.0)
LENGTH_S, ONSET_S, DECAY_S = 80.0, 40.0, 6.0


def made_record(rng: np.random.Generator, rate_hz: float, strength: float, band_hz: Band) -> tuple[float, np.ndarray]:
    """True onset in s and the recording (T,)."""
    time_s = np.arange(round(LENGTH_S * rate_hz)) / rate_hz
    onset_s = ONSET_S + rng.uniform(0, 1)
    noise = rng.normal(size=len(time_s))
    noise /= np.std(band_pass(noise, rate_hz, band_hz, zerophase=False))
    after_s = time_s - onset_s
    arrival = rng.normal(size=len(time_s)) * np.where(after_s >= 0, np.exp(-np.maximum(after_s, 0) / DECAY_S), 0)
    half = round(0.5 * rate_hz)
    energy = np.convolve(band_pass(arrival, rate_hz, band_hz, zerophase=False) ** 2, np.ones(half) / half)
    return onset_s, noise + strength * arrival / np.sqrt(energy.max())


def errors_ms(rng: np.random.Generator, case: tuple[float, Band, Band], strength: float) -> dict[str, float]:
    """Found minus true onset by way of finding it."""
    rate_hz, set_hz, onset_hz = case
    onset_s, record = made_record(rng, rate_hz, strength, onset_hz)
    copy = detect_onset(band_pass(record, rate_hz, onset_hz, zerophase=False), rate_hz)
    found = {"copy": copy.time_s, "import": copy.time_s - onset_delay_s(copy.snr, onset_hz)}
    for name, zerophase in (("causal", False), ("zero phase", True)):
        in_band = band_pass(record, rate_hz, set_hz, zerophase=zerophase)
        found[name] = detect_onset(band_pass(in_band, rate_hz, onset_hz, zerophase=False), rate_hz).time_s
    return {name: 1000 * (time_s - onset_s) for name, time_s in found.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=60, help="of each row (default 60)")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    tell_machine()
    names = ("causal", "zero phase", "copy", "import")
    heads = " ".join(f"{name:>13}" for name in names)
    print(f"{'rate':>5} {'set, Hz':>9} {'onset, Hz':>9} {'delay, ms':>9} {'ratio':>6} {heads}")
    for case in CASES:
        rate_hz, set_hz, onset_hz = case
        for strength in STRENGTHS:
            rng = np.random.default_rng([arguments.seed, round(strength)])
            found = [errors_ms(rng, case, strength) for _ in range(arguments.records)]
            cells = []
            for name in names:
                errors = np.array([one[name] for one in found])
                middle = float(np.nanmedian(errors))
                cells.append(f"{f'{middle:.0f} +- {np.nanmedian(np.abs(errors - middle)):.0f}':>13}")
            bands = f"{set_hz[0]:g}-{set_hz[1]:g}", f"{onset_hz[0]:g}-{onset_hz[1]:g}"
            delay_ms = 1000 * delay_s(rate_hz, set_hz)
            print(f"{rate_hz:5g} {bands[0]:>9} {bands[1]:>9} {delay_ms:9.0f} {strength:6g} " + " ".join(cells))


if __name__ == "__main__":
    main()
