"""Exports: files in a folder become registered files and readable records (asset `raw_events`)."""
