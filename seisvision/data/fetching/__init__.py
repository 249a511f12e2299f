"""Asks FDSN data centres for recordings of events and makes a waveform set (``seisvision data fetch``).

============== ==============================================================================
``recipe``     what to ask for and how: a small YAML file
``servers``    data centres by name or address
``transport``  one HTTP request and its answer
``asking``     waiting turns, retries, back-off: until an answer is final
``request_log`` one line per request, whatever becomes of it
``store``      the download folder: every answer is kept under the request it answers
``parallel``   a few threads per server, ended cleanly
``events``     event groups from files or event services
``inventory``  stations from files or station services
``spans``      which part of a recording is asked for
``selection``  stations and channels of one event
``plan``       all recordings to ask for
``waveforms``  asking for them, checking what comes
``report``     what became of everything
``progress``   how far the work is
``fetcher``    everything in order, to the finished set
``source``     a recipe as ``dataset.source``
``command``    the command line
============== ==============================================================================
"""
