"""The read side: finds runs, joins attempts, asks questions, draws, hands on."""
