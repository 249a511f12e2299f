"""A number, told as probabilities of bins."""

KIND = "bins"
OUTPUT = "BinnedOutput"
PREDICTIONS = "BinnedPredictions"
