"""Runtime: what every part uses as it runs: processes, fail points, redaction, progress, text."""
