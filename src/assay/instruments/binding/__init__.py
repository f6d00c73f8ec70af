"""Binding: are entities segregated, kept apart, and reused? (Greff, van Steenkiste and Schmidhuber 2020)"""
