"""One page about a catalogue and its reference: map, depth section, time line, magnitudes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from seisvision.cataloguing.scoring import Events, Score, completeness_by_magnitude
from seisvision.data.importing.tables.times import NS, format_ns
from seisvision.earth.coast_lines import CREDIT, shores_about, svg_path
from seisvision.earth.projection import Projection
from seisvision.pages.charts import Bin, Frame, histogram_chart, interval_chart, spread
from seisvision.pages.frame import POLICY, resource
from seisvision.plain_text import as_html as esc

KINDS = (("found", "c2", "found"), ("missed", "c0", "missed"), ("false", "c1", "false or twice"))
WIDTH, HEIGHT = 380, 280
STYLE = """
.key{margin-right:1rem}.key.c0{color:var(--s0)}.key.c1{color:var(--s1)}.key.c2{color:var(--s2)}
svg circle.rare{opacity:.95;stroke:var(--ink);stroke-width:.6}
.card{max-width:40rem}
"""


def page(title: str, judged: Events, reference: Events, score: Score) -> str:
    """The page as HTML that needs no network."""
    plane = _plane(judged, reference)
    groups = _groups(plane, judged, reference, score)
    facts = [
        ("recall", _text(score.shares["recall"])),
        ("precision", _text(score.shares["precision"])),
        ("false", str(len(score.false))),
        ("twice", str(len(score.duplicates))),
        ("median distance", _number(score.apart["horizontal_km"].median(), "km")),
        ("median depth error", _number(score.apart["depth_km"].abs().median(), "km")),
        ("complete from magnitude", _number(score.completeness["judged"][0], "")),
        ("reference complete from", _number(score.completeness["reference"][0], "")),
    ]
    listed = "".join(f"<li><b>{esc(value)}</b><span>{esc(name)}</span></li>" for name, value in facts)
    charts = {
        "Where and when": [
            ("Map", _scatter("Map", groups, "east_km", "north_km", "km east", "km north", plane=plane)),
            (
                "Depth section",
                _scatter("Depth section", groups, "east_km", "depth_km", "km east", "depth, km", down=True),
            ),
            ("Time line", _scatter("Time line", groups, "hours", "magnitude", "hours after the first", "magnitude")),
            ("Found by magnitude", _by_magnitude(score, reference)),
        ],
        "Magnitudes": _magnitudes(judged, reference),
        "Differences, judged less reference": _differences(score),
    }
    key = " ".join(f'<span class="key {style}">&#9679; {esc(name)}</span>' for _, style, name in KINDS)
    body = "".join(_section(title, some) for title, some in charts.items())
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<title>{esc(title)}</title><style>{resource('style.css')}{STYLE}</style></head><body>"
        f'<header><h1>{esc(title)}</h1><p class="soft">{len(judged)} events against {len(reference)}, '
        f'{int(reference.counts.sum())} of which must be found.</p><ul class="facts">{listed}</ul><p>{key}</p></header>'
        f"<main>{body}</main><script>{resource('script.js')}</script></body></html>\n"
    )


def _section(title: str, charts: Sequence[tuple[str, str]]) -> str:
    """Charts that there are side by side, as far as there is room."""
    cards = "".join(
        f'<figure class="card"><figcaption>{esc(name)}</figcaption>{chart}</figure>' for name, chart in charts if chart
    )
    kind = "looked" if any(name == "Map" for name, _ in charts) else "broad"
    return f'<section><h2>{esc(title)}</h2><div class="cards {kind}">{cards}</div></section>' if cards else ""


def _text(share: tuple[float, float, float, int]) -> str:
    value, low, high, n = share
    return "-" if not n else f"{value:.1%} [{low:.1%}, {high:.1%}] of {n}"


def _number(value: float, unit: str) -> str:
    return f"{value:.2f} {unit}".strip() if math.isfinite(value) else "-"


def _plane(judged: Events, reference: Events) -> Projection:
    """The plane of the map."""
    latitude = np.concatenate([reference.latitude_deg, judged.latitude_deg])
    longitude = np.concatenate([reference.longitude_deg, judged.longitude_deg])
    known = np.isfinite(latitude) & np.isfinite(longitude)
    return Projection.about(latitude[known], longitude[known]) if known.any() else Projection(0.0, 0.0)


def _groups(
    plane: Projection, judged: Events, reference: Events, score: Score
) -> list[tuple[str, dict[str, np.ndarray], list[str]]]:
    """Style, coordinates and tips of what was found, missed and is false."""
    first = int(min([*judged.time_ns[:1], *reference.time_ns[:1], *reference.time_ns]))
    made = []
    chosen = (
        (reference, score.pairs[:, 1]), (reference, score.missed), (judged, np.r_[score.false, score.duplicates]),
    )  # fmt: skip
    for (_, style, name), (events, rows) in zip(KINDS, chosen, strict=True):
        east_km, north_km = plane.to_km(events.latitude_deg[rows], events.longitude_deg[rows])
        where = {
            "east_km": east_km,
            "north_km": north_km,
            "depth_km": events.depth_km[rows],
            "hours": (events.time_ns[rows] - first) / NS / 3600,
            "magnitude": events.magnitude[rows],
        }
        tips = [
            f"{name}: {events.event_id[row]}\n{format_ns(int(events.time_ns[row]))[:19]} "
            f"M {events.magnitude[row]:.1f}, {events.depth_km[row]:.1f} km"
            for row in rows.tolist()
        ]
        made.append((style, where, tips))
    return made


def _scatter(
    title: str,
    groups: Sequence[tuple[str, dict[str, np.ndarray], list[str]]],
    x: str,
    y: str,
    x_label: str,
    y_label: str,
    plane: Projection | None = None,
    down: bool = False,
) -> str:
    """Events as dots, those found below the few others; a map on a ``plane`` at one scale, or ``down`` as depths go."""
    x_all, y_all = (np.concatenate([where[name] for _, where, _ in groups]) for name in (x, y))
    known = np.isfinite(x_all) & np.isfinite(y_all)
    if not known.any():
        return ""
    x_range, y_range = spread(x_all[known].tolist()), spread(y_all[known].tolist())
    height = HEIGHT
    if plane is not None:
        span = (y_range[1] - y_range[0]) / max(x_range[1] - x_range[0], 1e-9)
        height = int(min(640, max(240, span * (WIDTH - 72) + 56)))
    frame = Frame(x_range, y_range[::-1] if down else y_range, WIDTH, height, top=20)
    frame.axes(x_label, y_label)
    if plane is not None:
        _draw_shores(frame, plane)
    for style, where, tips in groups:
        for east, north, tip in zip(where[x], where[y], tips, strict=True):
            if math.isfinite(east) and math.isfinite(north):
                size = "dot" if style == "c2" else "dot rare"
                frame.parts.append(
                    f'<circle class="{size} {style}" r="3" cx="{frame.x(east):.1f}" cy="{frame.y(north):.1f}" '
                    f'data-tip="{esc(tip)}"/>'
                )
    return frame.svg(title)


def _draw_shores(frame: Frame, plane: Projection) -> None:
    """Shores within a frame of kilometres, where the extra ``maps`` brought them."""
    reach_km = math.hypot(*(max(map(abs, ends)) for ends in (frame.x_range, frame.y_range)))
    east, north = plane.to_km(*shores_about(plane.latitude_deg, plane.longitude_deg, reach_km))
    if not len(east):
        return
    (x, dx), (y, dy) = ((at(0.0), at(1.0) - at(0.0)) for at in (frame.x, frame.y))
    inside = (frame.left, frame.width - frame.right), (frame.top, frame.height - frame.bottom)
    frame.parts.append(f'<path class="shore" d="{svg_path(x + dx * east, y + dy * north, *inside)}"/>')
    frame.parts.append(f'<text x="{inside[0][1]}" y="{frame.top - 2}" text-anchor="end">{CREDIT}</text>')


def _magnitudes(judged: Events, reference: Events) -> list[tuple[str, str]]:
    both = [one.magnitude[np.isfinite(one.magnitude)] for one in (reference, judged)]
    if not all(len(one) for one in both):
        return []
    low, high = min(one.min() for one in both), max(one.max() for one in both)
    edges = np.arange(np.floor(low / 0.2), np.floor(high / 0.2) + 2) * 0.2
    shares = [np.histogram(one, edges)[0] / len(one) for one in both]
    most = float(max(one.max() for one in shares))
    return [
        (name, histogram_chart(name, edges.tolist(), share.tolist(), most, style, "magnitude", ideal=False))
        for name, share, style in zip(("reference", "judged"), shares, ("c0", "c2"), strict=True)
    ]


def _by_magnitude(score: Score, reference: Events) -> str:
    bins = [
        Bin(x, share, low, high, f"{n} events of the reference")
        for x, share, low, high, n in completeness_by_magnitude(score, reference)
    ]
    if not bins:
        return ""
    return interval_chart("Found by magnitude", [("", "c2", bins)], "magnitude", "share found", percent=True)


def _differences(score: Score) -> list[tuple[str, str]]:
    charts = []
    for name, label, unit in (
        ("time_s", "origin time", "s"), ("horizontal_km", "distance of epicentres", "km"), ("depth_km", "depth", "km"),
        ("magnitude", "magnitude", "magnitude"),
    ):  # fmt: skip
        values = score.apart[name].dropna().to_numpy()
        if len(values) < 2:
            continue
        low, high = spread(values.tolist())
        # A distance is never below zero.
        edges = np.linspace(max(low, 0.0) if name == "horizontal_km" else low, high, 25)
        share = np.histogram(values, edges)[0] / len(values)
        charts.append((label, histogram_chart(label, edges.tolist(), share.tolist(), float(share.max()), "c0", unit)))
    return charts
