"""Pictures of single traces."""
