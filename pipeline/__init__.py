"""What is done to text: plain functions and classes over Arrow batches. Never imports Prefect."""
