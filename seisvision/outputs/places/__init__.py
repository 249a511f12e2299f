"""A place: epicentre and depth, told as numbers with a spread."""

KIND = "place"
OUTPUT = "PlaceOutput"
PREDICTIONS = "PlacePredictions"
WORDS = {"loss": ("gaussian", "guided_gaussian", "mse", "huber")}
"""What some of its settings may be; told, too, before torch is imported."""
