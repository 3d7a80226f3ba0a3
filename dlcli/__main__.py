"""``python -m dlcli``."""

import sys

from dlcli.cli.main import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], silence=True))
