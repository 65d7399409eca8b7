"""Passages: lines that recur over the documents of a source, counted once, frozen, and taken out row by row."""
