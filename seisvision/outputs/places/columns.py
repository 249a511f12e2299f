"""What a place is made of, told without torch: tables and comparisons ask for no more."""

COLUMNS = ("source_latitude_deg", "source_longitude_deg", "source_depth_km")
"""Columns of a true place."""
PARTS = ("east_km", "north_km", "depth_km", "sigma_east_km", "sigma_north_km", "sigma_depth_km", "correlation")
"""What is said of a place, before the confidence."""
