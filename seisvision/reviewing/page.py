"""The page of a review: served live, or as one file that holds its labels and gives its decisions as a download."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from seisvision.data.corrections.table import COLUMNS
from seisvision.errors import DataError
from seisvision.files import write_text
from seisvision.pages.frame import resource
from seisvision.reviewing.queue import Queue
from seisvision.reviewing.session import what_is_shown

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Even a mistake in escaping could reach nothing but the server of the page."""
FILE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
LARGEST_FILE = 100_000_000
"""Bytes of a page with its labels, beyond which browsers grow slow."""


def live_page() -> str:
    """The page that asks its server for one label after the other."""
    return _page(POLICY.partition("; frame-ancestors")[0], "null")


def write_file(queue: Queue, path: Path, reviewer: str, *, blind: bool = True) -> Path:
    """Write the page with all labels of a queue in it, for a reviewer without this program.

    What the networks say is in the file, though a blind reviewer does not see it before the decision.

    Raises:
        DataError: the labels are too many for one file.
    """
    items: list[dict[str, Any]] = []
    size = 0
    for number, one in enumerate(queue.items):
        shown = what_is_shown(one) | {
            "run_id": one["run_id"],
            "hidden": one["hidden"],
            "drawing": queue.drawing(number),
        }
        size += len(json.dumps(shown))
        if size > LARGEST_FILE:
            raise DataError(
                f"{len(queue.items)} labels need more than {LARGEST_FILE / 1e6:.0f} MB, too much for one page; only "
                f"{number} fit. Make a queue with --most {number}, or use 'seisvision review serve'."
            )
        items.append(shown)
    about = {key: queue.about[key] for key in ("column", "kind", "unit", "choices", "set", "set_fingerprint")}
    about["queue"] = queue.content_hash
    content = {"about": about, "items": items, "reviewer": reviewer, "blind": blind, "columns": list(COLUMNS)}
    write_text(path, _page(FILE_POLICY, _embedded(content)))
    return path


def _embedded(content: Any) -> str:
    """JSON as it may stand in a script element, whatever names are in it."""
    text = json.dumps(content, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _page(policy: str, embedded: str) -> str:
    own = files("seisvision.reviewing")
    body = own.joinpath("review.html").read_text(encoding="utf-8")
    style = resource("style.css") + own.joinpath("review.css").read_text(encoding="utf-8")
    script = own.joinpath("review.js").read_text(encoding="utf-8").replace("</", "<\\/")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="same-origin">'
        f'<link rel="icon" href="data:,"><title>Labels under review</title><style>{style}</style></head><body>{body}'
        f'<script id="queue" type="application/json">{embedded}</script><script>{script}</script></body></html>\n'
    )
