"""Which names of phases stand for the first P or the first S wave."""

from __future__ import annotations

import re

PHASES = ("P", "S")
FIRST_ARRIVALS = {
    "P": ("P", "Pn", "Pg", "Pb", "P*", "Pdif", "Pdiff", "PKP", "PKPdf", "PKIKP"),
    "S": ("S", "Sn", "Sg", "Sb", "S*", "Sdif", "Sdiff"),
}
"""Names of the IASPEI Standard Seismic Phase List (Storchak, Schweitzer and Bormann, 2003, Seismological Research
Letters 74, 761-772, doi:10.1785/gssrl.74.6.761) for what can arrive first of its kind: through the crust, along the
Moho, through the mantle, around or through the core. Depth phases (pP), reflections and conversions (PcP, PmP, PP, SS,
PS, ScS, SKS), later branches (PKPbc), Lg, Rg, T, codas and amplitudes are other phases."""
_FAMILY = {
    # Many tables are in capitals, and pickers write p and s; a name of mixed letters counts only as the list has it.
    spelling: family
    for family, names in FIRST_ARRIVALS.items()
    for name in names
    for spelling in (name, name.upper(), name.lower())
}
_NAMES = "|".join(re.escape(name) for name in sorted(_FAMILY, key=len, reverse=True))
_MOTION = r"[UDC+\-.?_ /]*"
"""First motion, or a mark of doubt, as HYPO71 and pickers write them."""
_WRITTEN = re.compile(
    rf"[(\[?]?\s*[iIeEqQ]?\s*(?P<name>{_NAMES}){_MOTION}(?P<weight>[0-4]?)\s*[)\]?]?|(?P<wave>[PpSs])[-_ ]?wave"
)


def phase_family(written: str) -> str:
    """``P`` or ``S`` for the name of a first arrival, empty for any other phase.

    The onset before the name (i, e, q: impulsive, emergent, questionable) and the first motion and weight after it
    are left aside: IPU0, EP, eSn, ``Pg+``, ``S?`` (HYPO71, Lee and Lahr, 1975, USGS Open-File Report 75-311; NORDIC).
    """
    match = _WRITTEN.fullmatch(written.strip())
    if match is None:
        return ""
    if match["wave"]:
        return match["wave"].upper()
    # PKP2 is a later branch in older lists, not PKP of weight 2.
    later_branch = match["weight"] and "KP" in match["name"].upper()
    return "" if later_branch else _FAMILY[match["name"]]


def phase_weight(written: str) -> int | None:
    """The weight behind the name of a first arrival, 0 (full) to 4 (not used), as in IPU0 and ``EP 4``."""
    match = _WRITTEN.fullmatch(written.strip())
    return int(match["weight"]) if match is not None and match["weight"] else None
