"""Reports: what people open, made from the tables.

Assets: `published_snapshot`, `completeness_report`, `training_set`.
"""
