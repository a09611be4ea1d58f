"""People rate strings: which ones, in which order, on a page or in the terminal."""
