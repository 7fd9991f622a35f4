"""Benches: the main job beside what DuckDB alone needs to read the same files."""
