"""What things are: documents, sources, recipes, decisions, manifests. No input or output, no work."""
