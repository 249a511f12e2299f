"""Where waveform sets come from."""
