"""A direction, such as a force azimuth or a back azimuth."""

KIND = "angle"
OUTPUT = "AngleOutput"
PREDICTIONS = "AnglePredictions"
