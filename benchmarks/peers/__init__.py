"""What a training could write its steps with: one class each, with the same methods.

`write` gets columns `[num_envs, *shape]` and is what the training thread pays; `recovered` counts
the environment steps that can be read after the process was killed, -1 where nobody can count them.
`column` reads one number of every environment step, `episode` every number of one environment's
steps from `first` to `last`: they return how many numbers they got, or -1 where there is no way.
"""
