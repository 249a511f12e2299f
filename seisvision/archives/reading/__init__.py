"""From files of an archive to pieces of recordings on the grid of a network, with gaps as masks."""
