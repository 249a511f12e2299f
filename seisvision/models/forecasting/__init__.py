"""Networks that say, of maps and indicators of a catalogue, how many events come.

Each takes the batch of a forecast (``seisvision/keys.py``: ``MAPS``, ``INDICATORS``, ``REGION_INDICATORS``,
``LOG_RATES``) and gives one number a cell, (B, C) or, where it draws a map, (B, Y, X). What the number means, the task
says: a logarithm of a rate, or log odds, beside that of a reference.
"""
