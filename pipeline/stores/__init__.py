"""Files behind addresses: S3-compatible stores, the web, and what fsspec reaches."""
