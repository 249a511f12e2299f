"""A direction, told as probabilities of sectors."""

KIND = "circular_bins"
OUTPUT = "BinnedAngleOutput"
PREDICTIONS = "BinnedAnglePredictions"
