"""From continuous recordings to a catalogue: picks, events, places, magnitudes, relative places and weak repeats.

================  ====================================================================
``association``   picks to events: by a vote of origin times, or PyOcto
``matching``      matched filter over the archive with known events as templates
``relocation``    differential times and the double difference
``exchange``      files of other programs: hypoDD, GaMMA
``stages``        what ``seisvision catalogue run`` does, one after the other
``scoring``       a catalogue against another, and its page
================  ====================================================================
"""
