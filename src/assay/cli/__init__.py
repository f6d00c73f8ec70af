"""The command line: `assay COMMAND ...`. Slow imports happen when a command runs, so that help is immediate."""

from assay.cli.main import main as main
