"""Component: the pipeline for a `defs.yaml`, and what `dg scaffold` writes for it."""
