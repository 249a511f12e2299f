"""Turns recordings, catalogues and station tables into one waveform set (``seisvision data import``).

=================== ============================================================================
``recipe``          what to import and how: a small YAML file
``formats``         recordings as they lie on disk: miniSEED, SAC, SEG-Y, ASDF and what obspy reads
``tables``          events, stations and picks from QuakeML, StationXML or CSV
``header_events``   events from the headers of SAC and SEG-Y
``association``     which file belongs to which event
``pick_events``     which pick belongs to which event
``pick_matching``   which pick is the P or S of a station, and what becomes of the others
``series``          one recording: joining, gaps, checking, filtering, resampling, its onset
``sensors``         what channels are called, which way they point, and how they are turned
``channels``        channels of one event; one sensor per station
``stations``        stations of one event: position, processed components, onset
``windows``         one window for all stations of an event, and the metadata rows
``event_builder``   one event from files to rows
``importer``        all events to a set, in one process or several
``shards``          parts of a large import, and the parts to one set
``rejections``      what was refused and why; ``cures`` what to do about it
``summary``         what came in and what became of it, in words
=================== ============================================================================
"""
