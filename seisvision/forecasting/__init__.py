"""What forecasts from catalogues must beat, and how they are judged."""
