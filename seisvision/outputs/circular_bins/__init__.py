"""A direction, told as probabilities of sectors."""

KIND = "circular_bins"
OUTPUT = "BinnedAngleOutput"
PREDICTIONS = "BinnedAnglePredictions"
WORDS = {"value": ("mean", "mode")}
"""What some of its settings may be; told, too, before torch is imported."""
