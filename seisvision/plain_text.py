"""Text as terminals, log files and pages may get it: what steers a terminal or is markup is shown and not obeyed.

Names of events, stations, files and classes come from data. One that holds ``ESC [ 2 J`` would clear the screen, one
with a carriage return overwrite what stands there, and one with a mark of writing direction read as another name.
"""

from __future__ import annotations

import html
import os
import re
import select
import sys
from typing import TYPE_CHECKING

from seisvision.secrets_kept import redact

if TYPE_CHECKING:
    from rich.console import Console

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
    """Print a result on standard output; where nobody reads that any more, the work goes on without."""
    try:
        print(shown(text), flush=True)
    except BrokenPipeError:
        leave_unread()


def results_console() -> Console:
    """Where tables are drawn for people on standard output, as :func:`say` prints text."""
    from rich.console import Console

    class Results(Console):
        def on_broken_pipe(self) -> None:
            # Console itself would end the process.
            leave_unread()

    return Results()


def leave_unread() -> None:
    """Send what is still printed nowhere: who read it, such as ``head``, has gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def is_unread() -> bool:
    """Whether standard output is a pipe whose reader has gone."""
    look = select.poll()
    look.register(sys.stdout.fileno(), 0)
    return any(event & select.POLLERR for _, event in look.poll(0))
