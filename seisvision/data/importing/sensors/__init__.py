"""What the channels of a sensor are called, which way they point, and how they are turned."""
