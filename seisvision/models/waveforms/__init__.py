"""Networks that read waveforms (B, P, T) rather than pictures."""
