"""Where the axes of a sensor point, and how its channels are turned to vertical, north and east.

Angles follow SEED (manual 2.4, blockette 52): azimuth in degrees clockwise from north, dip in degrees down from the
horizontal, so that dip -90 is positive for motion upwards. Axes are unit vectors (Z, N, E) with Z upwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

EXACT_DEG = 0.01
"""Axes closer to vertical, north or east than this are on it; single-precision headers say no more."""
LEAK_DEG = 5.0
"""Without its partners a channel may point this far off and be kept, with the angle in the set."""
PARALLEL_DEG = 20.0
"""Axes closer to each other than this do not tell two components apart."""
WEAKEST = float(np.sqrt(1 - np.cos(np.radians(PARALLEL_DEG))))
"""Smallest singular value of two unit vectors that far apart."""
NOMINAL = {"Z": np.array([1.0, 0.0, 0.0]), "N": np.array([0.0, 1.0, 0.0]), "E": np.array([0.0, 0.0, 1.0])}


@dataclass(frozen=True)
class Turn:
    """Channels that give components.

    Args:
        channels: rows of the axes, one for each component.
        components: 0, 1, 2 for Z, N, E.
        matrix: (C, C); components are ``matrix @ channels``.
        left_deg: largest angle that is not corrected, because partners are missing.
    """

    channels: tuple[int, ...]
    components: tuple[int, ...]
    matrix: np.ndarray
    left_deg: float = 0.0

    @cached_property
    def is_plain(self) -> bool:
        """Whether nothing is changed: the channels are the components."""
        return bool(np.array_equal(self.matrix, np.eye(len(self.channels))))


def axis(azimuth_deg: float, dip_deg: float) -> np.ndarray:
    """Unit vector (Z, N, E) of an azimuth and a dip."""
    azimuth, dip = np.radians([azimuth_deg, dip_deg])
    return np.array([-np.sin(dip), np.cos(dip) * np.cos(azimuth), np.cos(dip) * np.sin(azimuth)])


def azimuth_and_dip(vector: np.ndarray) -> tuple[float, float]:
    """Azimuth in [0, 360) and dip of a unit vector (Z, N, E), in degrees."""
    up, north, east = vector
    return float(np.degrees(np.arctan2(east, north)) % 360), float(-np.degrees(np.arcsin(np.clip(up, -1, 1))))


def angle_deg(first: np.ndarray, second: np.ndarray) -> float:
    """Angle between two unit vectors."""
    return float(np.degrees(np.arccos(np.clip(first @ second, -1, 1))))


def plan_turns(axes: Sequence[np.ndarray]) -> tuple[Turn, ...]:
    """How to get components from channels that point along ``axes``; a channel in no turn cannot be used.

    Channels that depend on each other are solved together, exactly. Those left over are tried again with angles
    below :data:`LEAK_DEG` taken for none.
    """
    return _plan(tuple(tuple(vector.tolist()) for vector in axes))


@lru_cache(maxsize=1024)
def _plan(vectors: tuple[tuple[float, ...], ...]) -> tuple[Turn, ...]:
    axes = [np.array(vector) for vector in vectors]
    turns = _solve(axes, range(len(axes)), EXACT_DEG)
    used = {channel for turn in turns for channel in turn.channels}
    taken = {component for turn in turns for component in turn.components}
    rest = [row for row in range(len(axes)) if row not in used]
    more = _solve(axes, rest, LEAK_DEG) if rest else []
    return tuple(turns + [turn for turn in more if not taken & set(turn.components)])


def _solve(axes: Sequence[np.ndarray], rows: Sequence[int], tolerance_deg: float) -> list[Turn]:
    turns = []
    for channels, components in _blocks(axes, rows, float(np.sin(np.radians(tolerance_deg)))):
        if len(channels) != len(components):
            continue
        block = np.stack([axes[row][list(components)] for row in channels])
        if not np.linalg.svd(block, compute_uv=False)[-1] >= WEAKEST:
            continue
        left_deg = max(_off_deg(axes[row], components) for row in channels) if tolerance_deg > EXACT_DEG else 0.0
        matrix = np.sign(block) if len(channels) == 1 else np.linalg.inv(block)
        turns.append(Turn(channels, components, matrix, left_deg))
    return turns


def _off_deg(vector: np.ndarray, components: tuple[int, ...]) -> float:
    """Angle between an axis and the line or plane of the components."""
    return float(np.degrees(np.arccos(np.clip(np.linalg.norm(vector[list(components)]), 0, 1))))


def _blocks(
    axes: Sequence[np.ndarray], rows: Sequence[int], smallest: float
) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Channels and the components they share with each other, in groups that share none."""
    blocks: list[tuple[set[int], set[int]]] = []
    for row in rows:
        members, touched = {row}, {int(i) for i in np.flatnonzero(np.abs(axes[row]) > smallest)}
        for other in [block for block in blocks if block[1] & touched]:
            blocks.remove(other)
            members, touched = members | other[0], touched | other[1]
        blocks.append((members, touched))
    return [_ordered(axes, members, touched) for members, touched in blocks]


def _ordered(
    axes: Sequence[np.ndarray], members: set[int], touched: set[int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Each channel beside the component it is nearest to, so that a turn by nothing is the identity."""
    components = tuple(sorted(touched))
    if len(members) != len(components):
        return tuple(sorted(members)), components
    left, channels = sorted(members), []
    for component in components:
        channels.append(max(left, key=lambda row: abs(axes[row][component])))
        left.remove(channels[-1])
    return tuple(channels), components
