"""Recordings as they lie on disk.

================== ============================================================================
``file_lists``     the files of a source, and their names as text
``waveform_files`` one file to segments, whatever its format
``segment``        an unbroken piece of a recording, and whether its header can be true
``reading``        what a reader is asked for
``packed``         compressed files and archives of files
``miniseed``       records looked at before they are read
``sac``            what SAC headers say
``segy``           what SEG-Y and SU traces say; ``segy_files`` where they lie in the file
``quakeml``        what ObsPy drops of catalogues or refuses
``trace_table``    codes and places of stations behind the traces of a gather
``asdf``           archives read with h5py alone
================== ============================================================================
"""
