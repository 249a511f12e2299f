"""The report: one HTML file that needs no network and no server."""

from __future__ import annotations

import time

from seisvision.evaluation.intervals import Measure
from seisvision.evaluation.tables import format_measure, is_share
from seisvision.pages.charts import esc
from seisvision.pages.frame import POLICY, resource
from seisvision.records.winner import CHOSEN
from seisvision.reports.comparing.groups import Comparison
from seisvision.reports.comparing.more_sections import error_sources_section, importance_section, location_section
from seisvision.reports.comparing.pairs import Said, compare_pairs
from seisvision.reports.comparing.samples import (
    disagreements_section,
    errors_section,
    looked_section,
    pictures_section,
    summary_line,
)
from seisvision.reports.comparing.sections import (
    curves_section,
    leaderboard_section,
    left_out_section,
    pairs_section,
    settings_section,
    sources_section,
    sweep_section,
)
from seisvision.reports.comparing.selection import expected_elsewhere


def render_page(comparison: Comparison, top: int = 8, reload_s: float | None = None, measure: str | None = None) -> str:
    """The whole page.

    Args:
        comparison: what to show; may still be empty.
        top: how many of the best groups are tested against each other and shown in detail.
        reload_s: the page loads itself again after so many seconds.
        measure: that pairs are tested on; the headline where it is not given.
    """
    sections, lead = _sections(comparison, top, measure) if comparison.groups else ([], _empty_lead(comparison))
    sections += [
        (f"others-{number}" if number else "others", some[0].result.heading, some[0].result.section(some))
        for number, some in enumerate(comparison.others_by_kind())
    ]
    if comparison.left_out:
        sections.append(("left-out", f"Left out ({len(comparison.left_out)})", left_out_section(comparison)))
    targets = ", ".join(str(about["name"]) for about in comparison.outputs) or "runs"
    title = f"Comparison of {targets.replace('_', ' ')}"
    nav = "".join(f'<a href="#{esc(anchor)}">{esc(text)}</a>' for anchor, text, _ in sections)
    body = "".join(
        f'<section id="{esc(anchor)}"><h2>{esc(text)}</h2>{content}</section>' for anchor, text, content in sections
    )
    refresh = f'<meta http-equiv="refresh" content="{max(1, round(reload_s))}">' if reload_s else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{refresh}'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<title>{esc(title)}</title><style>{resource('style.css')}</style></head><body>"
        f'<header><h1>{esc(title)}</h1><p class="lead">{esc(lead)}</p>{_facts(comparison)}{_warnings(comparison)}'
        f'<nav aria-label="Sections">{nav}</nav></header><main>{body}</main>'
        f"<footer>Written {time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime())} by seisvision compare.</footer>"
        '<div id="tip" role="status" hidden></div><dialog id="viewer" aria-label="Picture"><form method="dialog">'
        '<span></span><button class="button">Close</button></form><img alt=""></dialog>'
        f"<script>{resource('script.js')}</script></body></html>\n"
    )


def _sections(comparison: Comparison, top: int, measure: str | None) -> tuple[list[tuple[str, str, str]], str]:
    """Anchor, title and content of every section, and the sentence that leads the page."""
    best = comparison.groups[:top]
    outputs = comparison.outputs
    several = len(outputs) > 1
    lead, sections = "", []
    for number, about in enumerate(outputs):
        name, said = str(about["name"]), Said(about, comparison.part)
        of = f" ({name})" if several else ""
        pairs = compare_pairs(best, said, measure) if len(best) > 1 else []
        lead = lead or summary_line(comparison, pairs)
        board = leaderboard_section(comparison, name, "" if number else _choice(comparison, name))
        sections.append((f"leaderboard-section-{number}", f"Leaderboard{of}", board))
        if pairs:
            content = pairs_section(comparison, best, pairs, measure or comparison.headline(name))
            sections.append((f"tests-{number}", f"Is the difference real?{of}", content))
        sections.append((f"errors-{number}", f"Errors{of}", errors_section(best, said, comparison.part)))
        sources = error_sources_section(best, name, comparison.part)
        sections.append((f"sources-of-error-{number}", f"Where errors come from{of}", sources))
        sections.append((f"disagree-{number}", f"Where they disagree{of}", disagreements_section(best, said)))
    sections.append(("location", "Epicentres", location_section(comparison)))
    sections.append(("curves", "Learning curves", curves_section(comparison)))
    sections.append(("sweep", "The sweep", sweep_section(comparison)))
    sections.append(("importance", "Which settings matter", importance_section(comparison)))
    sections.append(("settings", "What differs", settings_section(comparison, best)))
    if not comparison.hides_test:
        sections.append(("looked", "What the networks looked at", looked_section(best)))
        sections.append(("pictures", "Pictures", pictures_section(best)))
    sections.append(("sources", "Where the numbers come from", sources_section(comparison)))
    return [section for section in sections if section[2]], lead


def _choice(comparison: Comparison, output: str) -> str:
    """What the validation numbers were chosen on, and what that of the first configuration is worth."""
    if not any(run.metrics.get("val") for run in comparison.runs):
        return ""
    name, first = comparison.headline(output), comparison.groups[0]
    is_ordered = comparison.ordered_by == "val" and len(comparison.groups) > 1
    text = f"Validation numbers: {CHOSEN}, the epoch of each run{' and the order' if is_ordered else ''}."
    found, expected = first.summary("val", output, name), expected_elsewhere(comparison, output)
    if found is None or expected is None:
        return text
    value, elsewhere = (format_measure(Measure(one), percent=is_share(name)) for one in (found.mean, expected))
    return (
        f"{text} {first.label} has {value}; as the best of {len(comparison.groups)} about {elsewhere} is to be "
        "expected on events that had no say (bootstrap over the choice among configurations, not among epochs)."
    )


def _empty_lead(comparison: Comparison) -> str:
    return (
        f"Only {comparison.others[0].result.heading.lower()} have finished."
        if comparison.others
        else "No run has finished yet."
    )


def _facts(comparison: Comparison) -> str:
    if not comparison.groups:
        return ""
    running = sum(one.state in ("running", "pending") for one in comparison.left_out)
    data = comparison.groups[0].first.metrics["data"]
    facts = [
        (f"{len(comparison.runs):,}", "runs compared"),
        (f"{len(comparison.groups):,}", "configurations"),
        (f"{data['events'].get(comparison.part, 0):,}", f"{comparison.part} events of {data['name']}"),
    ]
    facts += [(str(running), "runs not finished")] if running else []
    return f'<ul class="facts">{"".join(f"<li><b>{esc(n)}</b><span>{esc(text)}</span></li>" for n, text in facts)}</ul>'


def _warnings(comparison: Comparison) -> str:
    if not comparison.warnings:
        return ""
    items = "".join(f"<li>{esc(warning)}</li>" for warning in comparison.warnings)
    return f'<div class="warnings" role="note"><b>Before you compare</b><ul>{items}</ul></div>'
