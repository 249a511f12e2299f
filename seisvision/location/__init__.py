"""From distances (and back azimuths) at stations to an epicentre with an honest uncertainty.

===============  ====================================================================
``locate``       `locate`, the robust or the paper's location of a batch of events
``student``      the robust loss: Student-t errors with known or estimated scale
``descent``      damped Newton steps from several starts
``grid``         starts around the stations, and the paper's grid halving
``common``       errors that all distances of an event have in common
``uncertainty``  linearised covariance, ellipses, azimuthal gap and second solutions
``posterior``    ellipses that hold their share of the probability where the problem is not linear
``catalogue``    observations.csv to locations.csv
``quakeml``      located events as QuakeML
``figures``      maps and error figures
===============  ====================================================================
"""
