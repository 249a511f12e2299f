"""From arrival times at stations to a hypocentre and an origin time with an honest uncertainty.

===============  ====================================================================
``locate``       `locate_arrivals`, the location of a batch of events
``checks``       which picks can be used
``problem``      predicted times and what residuals cost
``starts``       where the descent starts
``descent``      damped Gauss-Newton steps with the origin time eliminated
``sigmas``       what residuals say of the sigmas
``posterior``    ellipses and ellipsoids that hold their share of the probability
``hypocentres``  what comes of it
``statics``      corrections of stations from events whose places are known, or not
``table``        picks of events in rows, and hypocentres as a table
``quakeml``      located events as QuakeML with arrivals
===============  ====================================================================
"""
