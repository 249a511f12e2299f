"""The data card of a synthetic set: what people should know of it."""

from __future__ import annotations

from typing import Any

from seisvision.data.synthesis.generator import QUANTA_PER_DEVIATION
from seisvision.data.synthesis.parameters import GENERATOR_VERSION, SynthesisParameters

_DESCRIPTION = (
    "Physics-based synthetic seismograms of {n_events} events ({classes}) with known source type, place, depth, "
    "magnitude and force direction. Body waves by ray theory, surface waves by mode theory, scattered coda, seismic "
    "noise and data faults. Not modelled: overtones, regional crustal phases (Lg), three-dimensional structure beyond "
    "random path effects, gravity, oceans and instrument responses. Places are random: no region, network or time "
    "belongs to a class."
)
_CITATIONS = (
    "Aki & Richards (2002), Quantitative Seismology, chapters 4 and 7: body and surface waves",
    "Kennett, Engdahl & Buland (1995), doi:10.1111/j.1365-246X.1995.tb03540.x: model ak135",
    "Crotwell, Owens & Ritsema (1999), doi:10.1785/gssrl.70.2.154: TauP; Beyreuther et al. (2010): ObsPy",
    "Dziewonski & Anderson (1981), doi:10.1016/0031-9201(81)90046-7: PREM, attenuation",
    "Peterson (1993), USGS Open-File Report 93-322: noise models",
    "Brune (1970), doi:10.1029/JB075i026p04997: earthquake spectrum",
    "Ekstrom, Nettles & Abers (2003), doi:10.1126/science.1088057; Tsai & Ekstrom (2007), doi:10.1029/2006JF000596: "
    "glacial earthquakes",
)
_PROCESSING = (
    "Ground velocity in m/s without instrument response; no noise at periods above 400 s.",
    "Every trace is rounded to a power of two that is at most 1/{quanta} of the standard deviation of its background.",
    "trace_fault names the data faults that were put in; dead traces are kept and hold zeros.",
    "Distances and azimuths are geodesic on WGS84, computed from the coordinates in the table.",
    "source_force_azimuth_deg is the direction of the first lobe of the force on the Earth.",
)


def card(parameters: SynthesisParameters) -> dict[str, Any]:
    """Content of ``card.json``; the writer adds the counts."""
    return {
        "name": f"synthetic-{parameters.fingerprint()}",
        "description": _DESCRIPTION.format(n_events=parameters.n_events, classes=", ".join(parameters.classes)),
        "source": "made by this software, no recording; 'seisvision data synth' makes it again from the parameters",
        "licence": "MIT, as the software that makes it",
        "citation": list(_CITATIONS),
        "processing": [line.format(quanta=QUANTA_PER_DEVIATION) for line in _PROCESSING],
        "measurement": "velocity",
        "unit": "m/s",
        "instrument_response": "none",
        "parameters": parameters.as_dict(),
        "generator_version": GENERATOR_VERSION,
        "fingerprint": parameters.fingerprint(),
    }
