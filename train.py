"""Train, resume, fine-tune or test the Go1: `python train.py --help`."""

import sys

from go1.training.main import main

if __name__ == "__main__":  # worker processes import this file
    sys.exit(main(sys.argv[1:]))
