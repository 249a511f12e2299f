"""Commands on labels under review."""
