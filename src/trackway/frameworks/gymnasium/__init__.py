"""Gymnasium environments, one by one and as vectors."""
