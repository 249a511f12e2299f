"""What networks see of a catalogue before each issue, and what came after it.

============== ==============================================================================
``histories``  events cell by cell, and as one for the whole region
``indicators`` what seismologists compute of them: eight of the last events, and by spans
``maps``       numbers of events by cell, magnitude class and step of time
``parts``      windows of training, validation and test, apart in time
``samples``    one window of the whole region, or of a single cell, as tensors
============== ==============================================================================
"""
