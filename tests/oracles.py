"""What the tests of kernels share: seeded generators, relative errors, and derivatives by central differences in float64."""

import numpy as np


def rng_of(seed):
    return np.random.default_rng(seed)


def relative(actual, expected):
    """Euclidean norm of the difference over that of what is expected, in float64."""
    return np.linalg.norm(np.asarray(actual, np.float64) - expected) / np.linalg.norm(expected)


def numerical_derivative(f, x, dx, step=1e-6):
    """Of f at x in the direction dx."""
    return (f(x + step * dx) - f(x - step * dx)) / (2 * step)


def numerical_gradient(f, x, step=1e-6):
    """Of a function with one number as value."""
    gradient = np.zeros_like(x)
    for i in np.ndindex(*x.shape):
        e = np.zeros_like(x)
        e[i] = 1
        gradient[i] = numerical_derivative(f, x, e, step)
    return gradient
