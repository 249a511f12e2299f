"""Sets of waveforms beside the one that is learnt from, and what is told of their samples."""
