"""A folder for each kind of experiment, and what those on waveform sets have in common.

A folder that names a kind in its ``__init__.py`` is found (:mod:`seisvision.records.kinds`); nothing else names it.
"""
