"""How many rows fit one forward pass (`row_limit`) and how many are worth it (`curve`)."""
