"""Cleaners: text in, better text out, row by row."""
