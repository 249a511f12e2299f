"""Events, stations and picks from the tables and files that come beside recordings.

================= ==================================================================
``times``         times as text and as nanoseconds
``text_tables``   CSV tables as text, and the files they stand in
``catalogue``     events from QuakeML (and what else obspy reads), CSV or SAC headers
``station_table`` stations from StationXML (and what else obspy reads) or CSV
``picks``         arrival times from CSV or QuakeML
================= ==================================================================
"""
