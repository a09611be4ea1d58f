"""Run folders -> tables, figures, one self-contained HTML page."""
