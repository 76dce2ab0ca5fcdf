"""Data: laws of inputs and labels, draws of whole realizations, and their random streams."""
