"""What ``seisvision catalogue`` does."""
