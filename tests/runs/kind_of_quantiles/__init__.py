"""A kind of output of a package of one's own: three quantiles of a number. Nothing outside this folder names it."""

KIND = "kind_of_quantiles"
OUTPUT = "QuantileOutput"
PREDICTIONS = "QuantilePredictions"
