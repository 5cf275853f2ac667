"""The one exercise of the start."""

import jax.numpy as jnp
import numpy as np

from book_utils.course.exercises import Exercise, close

midpoint = Exercise("start.midpoint", "Halfway", minutes=2,
                    objective="find out how an exercise answers",
                    hints=["The point halfway between two numbers is their average. Arrays average entry by entry.",
                           "Add X and Y, then halve the sum. Which of the two does Python do first if you do not say?",
                           "A division comes before an addition, so the sum wants parentheses."])


@midpoint.law("halfway between a point and itself is that point")
def itself(f, rng):
    X = rng.normal(size=(2, 3))
    close(f(X, X), X)


@midpoint.law("halfway from X to Y is halfway from Y to X")
def symmetric(f, rng):
    X, Y = rng.normal(size=(2, 2, 3))
    close(f(X, Y), f(Y, X))


@midpoint.law("as far from X as from Y")
def as_far(f, rng):
    X, Y = rng.normal(size=(2, 2, 3))
    M = f(X, Y)
    close(M - X, Y - M)


midpoint.wrong("halves only the second", replace=("(X + Y) / 2", "X + Y / 2"), caught_by=symmetric,
               hint="Python divides before it adds: X + Y / 2 is X + (Y / 2). A pair of parentheses is missing.")
midpoint.wrong("does not halve", replace=(" / 2", ""), caught_by=itself, hint="That is the sum; halfway there is half of it.")
midpoint.wrong("halves the difference", replace=("X + Y", "Y - X"), caught_by=itself,
               hint="Half the way from X to Y, yes. But where does the way begin?")
midpoint.wrong("rounds down", replace=("/ 2", "// 2"), caught_by=itself,
               hint="// divides and rounds down to a whole number; / divides.")


@midpoint.right("in NumPy")
def _(X, Y):
    return np.mean([np.asarray(X), np.asarray(Y)], axis=0)


@midpoint.right("X and half of the way to Y")
def _(X, Y):
    return X + 0.5 * (Y - X)


@midpoint.right("column by column")
def _(X, Y):
    return jnp.stack([(x + y) / 2 for x, y in zip(X.T, Y.T)], axis=1)
