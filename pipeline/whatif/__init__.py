"""What other thresholds would keep and drop, from what was measured once."""
