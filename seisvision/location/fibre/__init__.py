"""Epicentres from the arrivals along one fibre, while they come in.

=============  ===========================================================
``line``       the fibre in kilometres, its mirror, thinning and curvature
``inversion``  hypocentre with Gaussian prior, and both mirror solutions
``warning``    locations at 101, 121, 141, ... picks, and which one counts
=============  ===========================================================
"""
