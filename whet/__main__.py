"""`python -m whet`: the command line without an installed script."""

import sys

from whet.cli import main

sys.exit(main())
