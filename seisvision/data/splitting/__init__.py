"""Which events train, validate and test."""
