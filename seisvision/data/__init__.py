"""Waveform sets: where they come from and how they are served."""

from seisvision.public import names_of

__all__, __getattr__ = names_of(__name__)
