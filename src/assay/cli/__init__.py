"""The command line: `assay COMMAND ...`. Nothing slow is imported before a command runs, so that help answers at once."""

from assay.cli.main import main as main
