"""Readers: one file a format family; `read_file` turns any input file into document batches and an outcome."""
