"""Recordings and samples in which nothing moves: found, left out and told."""
