"""Operations: what crosses stages; called by the command line, a notebook or a Dagster op."""
