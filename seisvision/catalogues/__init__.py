"""Catalogues of events as data: no waveform in it.

================ ==========================================================================
``times``        days since 1970, the clock of this room and the one above
``gaps``         times without a catalogue: missing, not quiet
``catalogue``    events as arrays, with their gaps, in the order of time
``reading``      catalogues from CSV, ComCat and QuakeML; what cannot be used has a reason
``region``       polygons, across the date line and around poles too
``grid``         cells of kilometres or degrees
``counting``     numbers and largest magnitudes of events by window and cell
``magnitudes``   b-values with their errors
``completeness`` magnitude of completeness in space and time, with intervals
``declustering`` main shocks by windows, and by nearest neighbours
``audit``        what is wrong or odd in a catalogue
================ ==========================================================================
"""
