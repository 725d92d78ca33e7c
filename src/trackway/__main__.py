"""`python -m trackway`, where the command `trackway` is not on the path."""

import sys

from trackway.cli.main import main

sys.exit(main())
