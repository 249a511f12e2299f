"""Space-time ETAS (Ogata 1998, doi:10.1023/A:1003403601725), by maximum likelihood in float64.

Events of magnitude m and more come at the rate, a day and km²,

    background(x, y) + sum over all before of
        productivity exp(alpha (m - m0)) (t + c)^-p / I (q - 1)/(pi D) (1 + r²/D)^-q

with D = d exp(gamma (m - m0)) and I the integral of (t + c)^-p over 1000 days.

================ ==============================================================================
``parameters``   the eight numbers, and how they are written for a search without bounds
``kernels``      shares of the kernels in spans of time and in polygons
``cells``        what kernels put into the cells of a grid
``background``   where events come from by themselves: evenly, or smoothed from the catalogue
``data``         sources, targets and windows of a catalogue
``terms``        what pairs need of the parameters
``pairs``        which events are weighed as sources of which: all, or a weighted sample
``likelihood``   the logarithm of the likelihood and its gradient
``fitting``      search, standard errors, background refined from its own residuals
``simulation``   catalogues drawn from the model, from nothing or after a history
``rates``        events to be expected by cell and window
================ ==============================================================================
"""
