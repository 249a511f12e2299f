"""A place: epicentre and depth, told as numbers with a spread."""

KIND = "place"
OUTPUT = "PlaceOutput"
PREDICTIONS = "PlacePredictions"
