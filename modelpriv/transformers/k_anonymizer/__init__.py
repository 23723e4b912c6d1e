"""KAnonymizer: rows made alike in what others may know of a person, until each hides among k."""
