"""Hypocentres with what is known of their uncertainty."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from seisvision.location.uncertainty import Ellipse


@dataclass(frozen=True)
class Ellipsoid:
    """Confidence ellipsoids of B hypocentres, NaN where there is none."""

    axes_km: Tensor
    """(B, 3) semi-axes, the longest first."""
    directions: Tensor
    """(B, 3, 3) unit vectors of the axes in the columns: north, east, down."""


@dataclass(frozen=True)
class Prior:
    """What is known of B hypocentres before any pick; NaN where nothing is."""

    latitude_deg: Tensor
    longitude_deg: Tensor
    depth_km: Tensor
    sigma_horizontal_km: Tensor
    """Standard deviation to the north and to the east each."""
    sigma_depth_km: Tensor


@dataclass(frozen=True)
class Hypocentres:
    """Hypocentres and origin times of B events; all numbers are float64 and NaN where the event was not located."""

    latitude_deg: Tensor
    """(B,)."""
    longitude_deg: Tensor
    """(B,) in [-180, 180]."""
    depth_km: Tensor
    """(B,) below the datum, negative above."""
    origin_time_s: Tensor
    """(B,) on the clock of the picks."""
    covariance_km2: Tensor
    """(B, 3, 3) north, east and down, such that the normal distribution with it has the 68 % ellipsoid; NaN where there
    is none."""
    origin_sigma_s: Tensor
    """(B,) standard deviation of the origin time, linearised."""
    depth_sigma_km: Tensor
    """(B,) half-width of the interval around the depth that holds 68 %; NaN where the depth is not resolved."""
    depth95_km: Tensor
    """(B,) the same for 95 %."""
    ellipse68: Ellipse
    """Of the epicentre, whatever the depth."""
    ellipse95: Ellipse
    ellipsoid68: Ellipsoid
    ellipsoid95: Ellipsoid
    scale: Tensor
    """(B,) factor on the sigmas: 1, or more where the residuals are larger than chance explains."""
    residual_s: Tensor
    """(B, S) observed minus predicted arrival, static corrections taken off; NaN where a pick was not used."""
    weight: Tensor
    """(B, S) of the robust loss, 1.25 for a residual of zero; NaN where a pick was not used."""
    distance_km: Tensor
    """(B, S) epicentral."""
    azimuth_deg: Tensor
    """(B, S) from the epicentre to the station."""
    rms_s: Tensor
    """(B,) weighted root mean square of the residuals."""
    n_picks: Tensor
    """int64 (B,)."""
    n_stations: Tensor
    """int64 (B,)."""
    gap_deg: Tensor
    """(B,) largest angle without a station, as seen from the epicentre."""
    ambiguous: Tensor
    """bool (B,): a second hypocentre fits as well."""
    second_latitude_deg: Tensor
    second_longitude_deg: Tensor
    second_depth_km: Tensor
    located: Tensor
    """bool (B,)."""
    reason: list[str]
    """B texts: why an event was not located or cannot be trusted; empty where there is nothing to say."""
    left_out: list[dict[int, str]]
    """B dicts of pick number to the reason why it was not used; padding is not listed."""
