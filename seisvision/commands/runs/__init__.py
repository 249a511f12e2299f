"""Commands on runs and sweeps."""
