"""A Stable-Baselines3 model and what is needed to go on from it, in one zip."""
