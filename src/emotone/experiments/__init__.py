"""Recipes, cross-validation, the paper's tables: readable scripts over the library."""
