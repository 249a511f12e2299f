"""Pictures as ObsPy draws them, to compare with."""
