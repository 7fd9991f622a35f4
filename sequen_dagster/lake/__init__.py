"""Lake: accepted and quarantined rows as Parquet, in atomic commits (`validated_events`,
`quarantined_events`).
"""
