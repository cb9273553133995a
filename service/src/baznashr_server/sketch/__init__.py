"""From canonical letters to what is compared: shingles, signature, band keys, passages, digest."""
