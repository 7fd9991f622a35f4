"""Reports: what people open, made from the tables (`published_snapshot`, `completeness_report`)."""
