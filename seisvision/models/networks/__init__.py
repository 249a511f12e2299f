"""Networks that see all stations of an event at once: (B, P, S, T) of ``view=station_matrix``."""
