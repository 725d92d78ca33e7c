"""How long what was recorded is kept at full rate, and what stays for good."""
