"""Ground nouns, which every room may use."""
