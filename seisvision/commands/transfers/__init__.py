"""Commands on what a network is worth elsewhere."""
