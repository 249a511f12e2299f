"""A table of numbers, made from a seed: catalogue cells with a count, a rate, and a magnitude to be found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seisvision.base.units import UNITS, Unit, register

CELL = UNITS.get("cell") or register(Unit("cell", "cells", "cells", "cell_id"))


@dataclass(frozen=True)
class TableSource:
    """``n`` cells of a catalogue; the magnitude follows from the two other columns, and noise."""

    n: int = 120
    seed: int = 0

    def prepare(self, data_dir: str | Path) -> Path:
        """Write the table, unless it is there."""
        path = Path(data_dir) / f"cells-{self.n}-{self.seed}.csv"
        if not path.exists():
            rng = np.random.default_rng(self.seed)
            inputs = rng.normal(size=(self.n, 2))
            magnitude = 4 + inputs @ [0.5, -1.0] + 0.1 * rng.normal(size=self.n)
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savetxt(path, np.column_stack([inputs, magnitude]), delimiter=",", header="count,rate,magnitude")
        return path

    def fingerprint(self, data_dir: str | Path) -> str:
        """What the table is made of."""
        return f"cells{self.n}x{self.seed}"
