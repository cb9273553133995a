"""What a text is to the stored ones: verification on the text, rules, evidence. Pure; knows no store."""
