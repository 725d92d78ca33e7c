"""What bytes mean: names, layouts and units that every room agrees on; nothing here does I/O."""
