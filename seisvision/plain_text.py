"""Text as terminals, log files and pages may get it: what steers a terminal or is markup is shown and not obeyed.

Names of events, stations, files and classes come from data. One that holds ``ESC [ 2 J`` would clear the screen, one
with a carriage return overwrite what stands there, and one with a mark of writing direction read as another name.
"""

from __future__ import annotations

import html
import re

from seisvision.secrets_kept import redact

STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but tab and line feed, marks of writing direction, line separators and halves of characters."""


def visible(text: str) -> str:
    r"""The text with every character that steers a terminal written as Python writes it, such as ``\x1b``."""
    return STEERING.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def as_html(text: object) -> str:
    """The text as it may stand in HTML and SVG, in and outside of attributes."""
    return html.escape(visible(str(text)), quote=True)


def shown(text: object) -> str:
    """The text as people get it: no secret in it, and nothing that steers a terminal."""
    return visible(redact(str(text)))


def say(text: object) -> None:
    """Print a result on standard output."""
    print(shown(text), flush=True)
