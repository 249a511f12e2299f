"""What is said of a trained network: beside which baselines, where it errs, what it looked at."""
