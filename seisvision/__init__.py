"""seisvision: deep learning experiments on seismic events drawn as pictures."""

__version__ = "0.1.0"
