"""Reports: the form of `report.json`, whose JSON Schema is published.

`summary.py` fills it in; HTML, Markdown, CSV and the terminal show it. A module a subject: `intake`
(files and records), `completeness` (tiers, attributes, fields), `behavior` (sessions, links,
attribution), `comparison` (what is new); `report` puts them together.
"""
