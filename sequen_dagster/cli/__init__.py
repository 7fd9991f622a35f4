"""Command line: `sequen-dagster`, one module a command."""
