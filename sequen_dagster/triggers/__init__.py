"""Triggers: what starts runs (sensor for new exports, automation, daily schedule)."""
