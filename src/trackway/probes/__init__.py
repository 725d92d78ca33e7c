"""What environments and machines can tell about themselves; reading never changes them."""
