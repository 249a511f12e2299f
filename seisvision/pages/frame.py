"""What all pages have in common: their policy, style and script."""

from __future__ import annotations

from importlib.resources import files

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
"""Even a mistake in escaping could not reach the network."""


def resource(name: str) -> str:
    """A file of this room, ``style.css`` or ``script.js``, as it may stand inside its element."""
    return files("seisvision.pages").joinpath(name).read_text(encoding="utf-8").replace("</", "<\\/")
