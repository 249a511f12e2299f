"""Events, stations and picks from the tables and files that come beside recordings.

=================== ================================================================
``times``           times as text and as nanoseconds
``leap_seconds``    times that count leap seconds
``text_tables``     tables as text, whatever separates and packs them
``columns``         what columns mean, by the names they have in other programs
``event_columns``   events as columns of a set, and what no event can have
``table_times``     origin times in one column or in several
``agencies``        habits of single agencies in their tables of events
``catalogue_table`` events from tables
``origins``         which origin and magnitude of an event of QuakeML is taken
``catalogue``       events from QuakeML (and what else obspy reads), tables or SAC headers
``station_rows``    rows of station tables
``station_table``   stations from StationXML (and what else obspy reads) or tables
``channel_table``   which way channels point, and what their samples mean
``units``           units as station files and SAC headers spell them
``pick``            one arrival time, and who read it
``phases``          which names stand for the first P or S
``pick_tables``     picks from tables
``picks``           picks from tables, QuakeML or SAC headers
=================== ================================================================
"""

from seisvision.data.splitting.cells import source_cell

__all__ = ["source_cell"]
