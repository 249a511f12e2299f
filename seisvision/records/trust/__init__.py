"""What files may ask of this program: which classes they may name, where, with what, and what Hydra may build."""
