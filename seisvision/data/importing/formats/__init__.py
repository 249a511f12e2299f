"""Recordings as they lie on disk.

================== ============================================================================
``waveform_files`` one file to segments, whatever its format
``miniseed``       whether a miniSEED file is whole
``sac``, ``segy``  what the headers of these formats say
``asdf``           archives read with h5py alone
================== ============================================================================
"""
