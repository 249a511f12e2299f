"""Recordings along a fibre: read from files, made, and kept as waveform sets with one station a channel."""
