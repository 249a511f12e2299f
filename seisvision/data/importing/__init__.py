"""Turns recordings, catalogues and station tables into one waveform set (``seisvision data import``).

``recipe``            what to import and how: a small YAML file, or flags for one source
``tables``            events and stations from QuakeML, StationXML, CSV or SAC headers
``waveform_files``    recordings from miniSEED, SAC and whatever obspy reads
``association``       which file belongs to which event
``signals``           merging, filtering, resampling, checks of one recording
``onset``             first arrival of one recording
``stations_of_event`` one row per station: channels chosen, rotated, processed
``importer``          events to windows, the set and the list of rejections
"""
