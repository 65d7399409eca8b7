"""What was kept and lost, in pictures: one self-contained page."""
