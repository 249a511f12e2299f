"""What ``import seisvision as sv`` offers: sets, runs and networks for those who write Python."""
