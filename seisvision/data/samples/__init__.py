"""Samples: which stretch of which recordings a network sees, and what it is to say of it."""
