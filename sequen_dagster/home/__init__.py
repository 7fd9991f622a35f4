"""Home: the directory that holds everything the pipeline writes: layout, locks, durable files."""
