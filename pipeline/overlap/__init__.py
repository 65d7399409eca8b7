"""Overlap: evaluation questions inside documents."""
