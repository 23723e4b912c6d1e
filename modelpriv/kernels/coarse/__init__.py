"""From an exact value to the class that it belongs to: an interval, a period, an area, a network."""
