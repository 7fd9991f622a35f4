"""Lake: both kinds of rows as Parquet, in atomic commits (`validated_events` and its twin)."""
