"""What may be chosen where distances become places."""

from typing import Final

MODES: Final = ("robust", "paper")
LEVELS: Final = (0.68, 0.95)
"""Probabilities of the ellipses."""
