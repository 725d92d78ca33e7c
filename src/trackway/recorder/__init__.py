"""The way from the training thread to files: rings and an outbox here, writer processes there."""
