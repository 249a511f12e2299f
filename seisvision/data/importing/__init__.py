"""Turns recordings, catalogues and station tables into one waveform set (``seisvision data import``).

=================== ============================================================================
``recipe``          what to import and how: a small YAML file
``formats``         recordings as they lie on disk: miniSEED, SAC, SEG-Y, ASDF and what obspy reads
``tables``          events, stations and picks from QuakeML, StationXML or CSV
``association``     which file belongs to which event
``pick_events``     which pick belongs to which event
``pick_matching``   which pick is the P or S of a station, and what becomes of the others
``time_grid``       what counts as one sampling rate, and samples on another time grid
``gaps``            samples that stand for gaps, and their filling
``joining``         the pieces of one channel on one time grid
``signals``         joining, checking, filtering and resampling one channel
``channels``        channels of one event; one sensor per station
``station_grid``    the components of one station at one rate and on one time grid
``stations``        stations of one event: position, processed components, onset
``onset``           first arrival of one recording
``windows``         one window for all stations of an event, and the metadata rows
``event_builder``   one event from files to rows
``importer``        all events to a set, in one process or several
``shards``          parts of a large import, and the parts to one set
``rejections``      what was refused and why
``command``         the command line, ``merge_command`` that of merging
=================== ============================================================================
"""
