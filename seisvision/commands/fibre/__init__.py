"""Commands on recordings along a fibre."""
