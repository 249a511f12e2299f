"""A number, told as probabilities of bins."""

KIND = "bins"
OUTPUT = "BinnedOutput"
PREDICTIONS = "BinnedPredictions"
WORDS = {
    "rule": ("equal_width", "square_root", "equal_counts"),
    "value": ("median", "mean", "mode"),
    "transform": ("none", "log", "log1p"),
}
"""What some of its settings may be; told, too, before torch is imported."""
