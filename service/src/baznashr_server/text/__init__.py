"""From raw text to its canonical letters and what is read beside them: numbers, repeated passages."""
