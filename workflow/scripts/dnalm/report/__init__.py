"""The report: one self-contained HTML page with what was run, the numbers, the figures and their caveats."""
