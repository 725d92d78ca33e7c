"""`train.py`: the command line that trains, resumes, fine-tunes and tests the Go1."""
