"""What one GPU gives: true model sizes, random weights, nothing downloaded."""
