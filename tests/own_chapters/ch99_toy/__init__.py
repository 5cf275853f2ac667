"""A tiny chapter for the tests of the engine, the builder and the command line."""

KEY = "ch99"
TITLE = "Chapter 99: a toy"
PRINCIPLES = ["P99.1"]
LETTERS = {"U": ("(D, d)", "orthonormal basis"), "X": ("(D, N)", "data, one sample per column"), "x": ("(D,)", "one sample"), "n": ("int", "a whole number")}
ERRATA = []
