"""What a network that learnt elsewhere is worth in a new region: as it is, begun with, and by a few examples."""
