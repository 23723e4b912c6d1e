"""What every other room may use: events, files, canonical JSON, types of files."""
