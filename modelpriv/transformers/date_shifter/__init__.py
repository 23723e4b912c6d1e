"""DateShifter: the class, and how dates of every type are moved."""
