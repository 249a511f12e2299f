"""Events, stations and picks from the tables and files that come beside recordings.

================= ==================================================================
``times``         times as text and as nanoseconds
``leap_seconds``  times that count leap seconds
``text_tables``   CSV tables as text, and the files they stand in
``catalogue``     events from QuakeML (and what else obspy reads), CSV or SAC headers
``station_table`` stations from StationXML (and what else obspy reads) or CSV
``pick``          one arrival time, and who read it
``phases``        which names stand for the first P or S
``pick_tables``   picks from CSV tables
``picks``         picks from tables, QuakeML or SAC headers
================= ==================================================================
"""

from seisvision.data.cells import source_cell

__all__ = ["source_cell"]
