"""The write side: what a training program talks to while it runs."""
