"""Columns of the metadata table that are made from others: bins, places, travel times."""
