"""A trained network asked several times about the same samples, so that it can be seen what it does not know."""
