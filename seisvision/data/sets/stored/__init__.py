"""What the files of a waveform set say, whoever wrote them: axes, tables and what tells one content from another."""
