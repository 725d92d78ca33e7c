"""The `trackway` command."""
