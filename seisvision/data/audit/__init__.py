"""Looks a waveform set over before anything is trained on it (``seisvision data audit``).

==================== =========================================================================
``findings``         what an audit says: severity, count, examples, what to do
``table``            the metadata as arrays, read once for all checks
``times``            checks of times, arrivals and clocks
``places``           checks of coordinates, distances and azimuths
``labels``           checks of classes, duplicates and mixed recordings
``confounds``        what tells the class, or the set, without a look at the waveform
``samples``          checks of the samples: gaps, dead, flat and clipped channels, copies
``polarity``         stations whose motion is upside down
``statistics``       counts and distributions
``audit``            all of it: :func:`audit.check_set`, :func:`audit.audit_set`, :func:`audit.load_audit`
``svg``, ``page``    pictures and the HTML report
``command``          the command line
==================== =========================================================================
"""
