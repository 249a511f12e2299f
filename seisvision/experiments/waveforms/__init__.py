"""What experiments on waveform sets have in common: settings become data and networks, checked against each other."""
