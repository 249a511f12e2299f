"""What came in and what became of it, as the lines that an import prints when it ends."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from seisvision.data.importing.cures import CURES
from seisvision.data.importing.importer import ImportReport
from seisvision.data.importing.rejections import Rejection, count_causes
from seisvision.data.importing.sensors.directions import AGAINST_ANGLES

WIDTH = 118
SHOWN_NOTES = 12
SHOWN_STATIONS = 5
LONGEST_REASON = 160


def summary(report: ImportReport) -> str:
    """Tables of what came in, how it was understood, what was kept, and why the rest was not."""
    lines = [*_sources(report), "", *_understood(report), ""]
    if report.n_events:
        lines += _classes(report)
    causes = list(_causes(report.rejections))
    if causes:
        lines += ["", f"{'not taken':<12}{'stage':<14}{'cause':<24}{'number':>8}", *causes]
    if report.n_picks.total():
        read, used = report.n_picks.total(), report.n_picks_used.total()
        lines += ["", f"picks: {read} read, {used} used, {read - used} listed in rejected.csv"]
    if report.turned:
        pairs = ", ".join(f"{number} from {pair}" for pair, number in sorted(report.turned.items()))
        lines += ["", f"turned to vertical, north and east at stations: {pairs}"]
    zeros = report.orientations[AGAINST_ANGLES]
    if zeros:
        lines += ["", f"{zeros} traces have zeros for azimuth and dip, so Z, N and E were taken at their word"]
    if len(report.units) > 1:
        units = ", ".join(f"{unit} {number}" for unit, number in sorted(report.units.items()))
        lines += ["", f"units differ, as column trace_unit says (traces): {units}"]
    methods = ", ".join(f"{name} {number}" for name, number in sorted(report.onset_methods.items()))
    lines += ["", *([f"onset of events: {methods}"] if methods else [])]
    return "\n".join([*lines, f"{_events(report.n_events)} in {report.seconds:.1f} s"])


def _events(number: int) -> str:
    return "1 event" if number == 1 else f"{number} events"


def _sources(report: ImportReport) -> Iterator[str]:
    yield f"{'source':<24}{'files':>8}{'events':>8}{'channels':>10}{'kept':>8}{'traces':>8}"
    for name in report.n_files:
        numbers = (report.n_files, report.n_catalogue, report.n_recordings, report.n_components, report.n_traces)
        counts = "".join(f"{count[name]:>{w}}" for count, w in zip(numbers, (8, 8, 10, 8, 8), strict=True))
        yield f"{name:<24}{counts}"


def _understood(report: ImportReport) -> Iterator[str]:
    """How many of what was kept have a place and a magnitude, and what the columns of the tables were taken for."""
    placed, origins = sum(report.stations.values()), sum(report.n_with_origin.values())
    stations = f"{placed} of {len(report.stations)} stations have a position"
    if report.n_events:
        yield f"{stations}, {origins} of {report.n_events} events an origin"
    for reason, codes in _by_reason(report.without_position()).items():
        more = f" and {len(codes) - SHOWN_STATIONS} more" if len(codes) > SHOWN_STATIONS else ""
        yield f"    {', '.join(codes[:SHOWN_STATIONS])}{more}: {reason}"
    if report.magnitude_types:
        types = ", ".join(f"{kind or 'no type'} {n}" for kind, n in sorted(report.magnitude_types.items()))
        mixed = " (types differ: do not learn them as one)" if len(report.magnitude_types) > 1 else ""
        yield f"magnitudes of {_events(sum(report.magnitude_types.values()))}: {types}{mixed}"
    for source, tables in report.columns.items():
        for what, columns in tables.items():
            known = [f"{name} = {meaning}" if name != meaning else name for name, meaning in columns.items() if meaning]
            others = [name for name, meaning in columns.items() if not meaning]
            kept = f"; {'kept as they are' if what == 'events' else 'not used'}: {', '.join(others)}" if others else ""
            head = f"{what} of {source}, {len(known)} of {len(columns)} columns have a meaning: "
            yield _wrapped(f"{head}{', '.join(known)}{kept}")
    if report.n_parted:
        yield (
            f"{report.n_parted} stations have each component in an event of its own, as the files hold one; what their "
            "names have in common joins them: --pattern (association.pattern)"
        )
    yield from map(_wrapped, report.notes[:SHOWN_NOTES])
    if len(report.notes) > SHOWN_NOTES:
        yield f"and {len(report.notes) - SHOWN_NOTES} more notes in the card of the set"


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)


def _by_reason(reasons: dict[str, str]) -> dict[str, list[str]]:
    codes: dict[str, list[str]] = {}
    for code, reason in reasons.items():
        codes.setdefault(reason, []).append(code)
    return codes


def _classes(report: ImportReport) -> Iterator[str]:
    yield f"{'class':<24}{'events':>8}{'stations per event (least, median, most)':>44}"
    for name, stations in sorted(report.classes.items()):
        ordered = sorted(stations)
        spread = f"{ordered[0]}, {ordered[len(ordered) // 2]}, {ordered[-1]}"
        yield f"{name or '(none)':<24}{len(ordered):>8}{spread:>44}"


def _causes(rejections: list[Rejection]) -> Iterator[str]:
    """Each cause with its number, one reason as an example, and the setting that changes the verdict."""
    example = {(item.kind, item.stage, item.cause): item for item in reversed(rejections)}
    for kind, stage, cause, number in count_causes(rejections):
        yield f"{kind:<12}{stage:<14}{cause:<24}{number:>8}"
        one = example[kind, stage, cause]
        name = one.trace_id or one.event_id or one.file
        reason = f"{name}: {one.reason}"
        yield f"    {reason if len(reason) <= LONGEST_REASON else reason[:LONGEST_REASON] + '...'}"
        if cause in CURES:
            yield f"    to change it: {CURES[cause]}"
