"""Which picks can be used, and the location problems that they make."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from seisvision.earth.travel_time_table import PHASES, TravelTimes
from seisvision.earth.unit_vectors import unit_vectors
from seisvision.errors import DataError
from seisvision.location.arrivals.hypocentres import Prior
from seisvision.location.arrivals.problem import Problem, geocentric_km

DEFAULT_SIGMA_S = (0.1, 0.2)
"""Of P and S where none are given: only their ratio counts, as their size is estimated."""


@dataclass(frozen=True)
class Given:
    """Picks as given, tensors (B, S)."""

    station_latitude_deg: Tensor
    station_longitude_deg: Tensor
    station_elevation_km: Tensor
    phase: Tensor
    """int64, number in ``PHASES``; -1 for any other."""
    time_s: Tensor
    sigma_s: Tensor | None
    statics: Tensor
    not_yet: Tensor
    mask: Tensor

    def refusals(self, travel_times: TravelTimes) -> dict[str, tuple[Tensor, str]]:
        """Name of a value to bool (B, S), True where it cannot be used, and what is allowed."""
        low, high = travel_times.elevation_limits_km
        elevation, sigma = self.station_elevation_km, self.sigma_s
        bad = {
            "station_latitude_deg": (~(self.station_latitude_deg.abs() <= 90), "a number from -90 to 90"),
            "station_longitude_deg": (~(self.station_longitude_deg.abs() <= 360), "a number from -360 to 360"),
            "station_elevation_km": (
                ~((elevation >= low) & (elevation <= high)),
                f"within the table of travel times, {low:g} to {high:g} km",
            ),
            "phase": (self.phase < 0, "P or S"),
            "time_s": (~self.time_s.isfinite(), "a number"),
            "statics": (~self.statics.isfinite(), "a number"),
        }
        if sigma is not None:
            bad["sigma_s"] = (~((sigma > 0) & sigma.isfinite()), "a positive number")
        return bad

    def usable(self, travel_times: TravelTimes) -> Tensor:
        """Bool (B, S)."""
        return self.mask & ~torch.stack([bad for bad, _ in self.refusals(travel_times).values()]).any(0)

    def left_out(self, travel_times: TravelTimes) -> list[dict[int, str]]:
        """B dicts of pick number to why it is not used."""
        texts: list[dict[int, str]] = [{} for _ in range(len(self.mask))]
        for name, (bad, allowed) in self.refusals(travel_times).items():
            values = getattr(self, name)
            for event, pick in (bad & self.mask).nonzero().tolist():
                texts[event].setdefault(pick, f"{name}={values[event, pick].item():g} is not {allowed}")
        return texts

    def problem(
        self, travel_times: TravelTimes, prior: Prior | None, limits_km: tuple[float, float], *, robust: bool
    ) -> tuple[Problem, Tensor]:
        """The problems, with harmless numbers where nothing can be used, and the time (B,) that theirs count from."""
        usable = self.usable(travel_times)

        def safe(values: Tensor, fill: float = 0.0) -> Tensor:
            return torch.where(usable, values, fill)

        used, waiting = usable & ~self.not_yet, usable & self.not_yet
        moment = safe(self.time_s - self.statics, 0.0)
        reference = torch.where(used, moment, torch.inf).amin(1)
        reference = torch.where(reference.isfinite(), reference, 0.0)
        sigma = self.sigma_s
        if sigma is None:
            sigma = torch.where(self.phase == 1, DEFAULT_SIGMA_S[1], DEFAULT_SIGMA_S[0]).double()
        point = unit_vectors(safe(self.station_latitude_deg), safe(self.station_longitude_deg))
        elevation = safe(self.station_elevation_km)
        b, device = len(usable), usable.device
        limits = torch.tensor(limits_km, dtype=torch.float64, device=device).expand(b, 2).clone()
        known = prior_values(prior, b, device)
        problem = Problem(
            station_km=geocentric_km(point, elevation),
            foot_km=geocentric_km(point, torch.zeros_like(elevation)),
            elevation_km=elevation,
            phase=torch.where(usable, self.phase, 0),
            time_s=safe(moment - reference[:, None]),
            sigma_s=safe(sigma, 1.0),
            used=used,
            waiting=waiting,
            limits_km=limits,
            prior_point=known[0],
            prior_depth_km=known[1],
            prior_sigma_km=known[2],
            travel_times=travel_times,
            robust=robust,
        )
        return problem, reference


def prior_values(prior: Prior | None, b: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Points (B, 3), depths (B,) and sigmas (B, 2) of a prior, or what stands for none; refuses other shapes."""
    if prior is None:
        point = torch.zeros(b, 3, dtype=torch.float64, device=device)
        return point, torch.zeros(b, dtype=torch.float64, device=device), torch.full_like(point[:, :2], torch.inf)
    values = [torch.as_tensor(value).to(device, torch.float64) for value in vars(prior).values()]
    for name, value in zip(vars(prior), values, strict=True):
        if value.shape != (b,):
            raise DataError(f"prior.{name} has shape {tuple(value.shape)}; give one number for each of {b} events.")
    latitude, longitude, depth, across, down = values
    placed = latitude.isfinite() & longitude.isfinite() & (across > 0)
    deep = depth.isfinite() & (down > 0)
    sigma = torch.stack([torch.where(placed, across, torch.inf), torch.where(deep, down, torch.inf)], 1)
    point = unit_vectors(torch.where(placed, latitude, 0.0), torch.where(placed, longitude, 0.0))
    return point, torch.where(deep, depth, 0.0), sigma


def phase_numbers(phase: object) -> Tensor:
    """Numbers (B, S) of phases given as numbers or as texts ``P`` and ``S``; -1 for any other."""
    if isinstance(phase, Tensor):
        return torch.where((phase >= 0) & (phase < len(PHASES)), phase, -1).long()
    array = np.asarray(phase)
    if array.dtype.kind in "OUS":
        return torch.from_numpy(np.select([array == name for name in PHASES], range(len(PHASES)), -1))
    return phase_numbers(torch.as_tensor(array))


def checked(**values: object) -> Given:
    """Picks as tensors on the device of the times.

    Raises:
        DataError: a shape differs from that of the times.
    """
    time_s = torch.as_tensor(values["time_s"])
    if time_s.ndim != 2:
        raise DataError(f"time_s has shape {tuple(time_s.shape)}; give (events, picks).")
    tensors: dict[str, Tensor | None] = {}
    for name, value in values.items():
        tensor: Tensor | None = None
        if name == "phase":
            tensor = phase_numbers(value).to(time_s.device)
        elif value is not None:
            kind = torch.bool if name in ("mask", "not_yet") else torch.float64
            tensor = torch.as_tensor(value).to(time_s.device, kind)
        elif name != "sigma_s":
            fill = {"mask": torch.ones, "not_yet": torch.zeros}.get(name)
            empty = torch.zeros(time_s.shape, dtype=torch.float64, device=time_s.device)
            tensor = empty if fill is None else fill(time_s.shape, dtype=torch.bool, device=time_s.device)
        if tensor is not None and tensor.shape != time_s.shape:
            raise DataError(f"{name} has shape {tuple(tensor.shape)}; time_s has {tuple(time_s.shape)}. Give the same.")
        tensors[name] = tensor
    return Given(**tensors)  # type: ignore[arg-type]
