"""Signals: columns measured on text."""
