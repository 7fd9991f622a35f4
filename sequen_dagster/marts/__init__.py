"""Marts: committed batches become dbt tables in the warehouse (dbt assets, tests as checks)."""
