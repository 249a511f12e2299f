"""Waveform sets on disk: read, written, known by their content."""
