"""Reports: what people open, made from the tables.

Assets: `published_snapshot`, `completeness_report`, `dbt_docs`, `training_set`.
"""
