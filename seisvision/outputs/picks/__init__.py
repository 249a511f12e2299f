"""Times of P and S in a window, from curves along it."""

KIND = "pick"
OUTPUT = "PickOutput"
PREDICTIONS = "PickPredictions"
