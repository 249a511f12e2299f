"""Pictures of whole events: record sections, sections over azimuth, stacked spectrograms."""
