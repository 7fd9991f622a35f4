"""Commands of the command line that are more than a call; `cli` puts them together."""
