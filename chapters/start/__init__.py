"""The first ten minutes: how a notebook of this course works."""

KEY = "start"
TITLE = "Start here: ten minutes"
PRINCIPLES = []
LETTERS = {  # in the one order in which arguments appear
    "X": ("(D, N)", "points, one per column"),
    "Y": ("(D, N)", "as many other points"),
}
ERRATA = []
