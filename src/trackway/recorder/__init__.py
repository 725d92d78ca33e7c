"""The way from the training thread to files: an outbox here, a writer process there."""
