"""A number in physical units, such as an offset, a depth or a magnitude."""

KIND = "scalar"
OUTPUT = "ScalarOutput"
PREDICTIONS = "ScalarPredictions"
