"""A kind of output whose true value is a vector: a place in kilometres. Nothing outside this folder names it."""

KIND = "kind_of_places"
OUTPUT = "PlaceOutput"
PREDICTIONS = "PlacePredictions"
