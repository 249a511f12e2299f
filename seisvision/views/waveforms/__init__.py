"""Waveforms for networks that read them as they are."""
