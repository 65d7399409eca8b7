"""Trained models: what they read, how they are trained and stored, and how a curve over held-out text judges them."""
