"""What personal data looks like, how it is told from other numbers, and what may be put in its place.

`checks` knows check digits, `patterns` finds, `actions` replaces. The step is `pipeline.clean.personal`.
"""
