"""Duplicates: match form, signature, buckets, verification, survivors."""
