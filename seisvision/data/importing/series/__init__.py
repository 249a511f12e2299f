"""One recording as a series of samples.

================ ============================================================================
``time_grid``    what counts as one sampling rate, and samples on another time grid
``gaps``         samples that stand for gaps, and their filling
``joining``      the pieces of one channel on one time grid
``signals``      checking, filtering and resampling one channel
``station_grid`` the components of one station at one rate and on one time grid
================ ============================================================================
"""
