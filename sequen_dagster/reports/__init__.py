"""Reports: what people open (`published_snapshot`, `completeness_report`, `dbt_docs`)."""
