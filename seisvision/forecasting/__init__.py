"""What a forecast from a catalogue must beat, and how it is judged.

================ ==============================================================================
``task``         what is to be forecast: catalogue, cells, windows of the fit and of the test
``etas``         the epidemic-type aftershock sequence: likelihood, fit, simulation, rates
``references``   rates by cell and window that any forecast must beat, ETAS among them
``measures``     what a forecast is worth, with intervals; the tests of CSEP
``comparison``   all references on one table
``results``      the files of a comparison
``synthetic``    catalogues in which it is known what can be forecast
``sources``      where catalogues come from, as configuration names them
``samples``      what networks see of a catalogue, and what came after it
``kept``         what references said of windows, computed once and kept
================ ==============================================================================
"""

from seisvision.public import names_of

__all__, __getattr__ = names_of(__name__)
