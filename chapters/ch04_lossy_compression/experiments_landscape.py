"""Rate reduction in float64, for the figures and the Doubt of Part 3: values, gradients, Hessians, and points on a circle."""

import numpy as np


def objective(Z: np.ndarray, labels: np.ndarray, eps: float, lam: float = 0.0) -> float:
    """Rate reduction of Z (d, N), less lam / 2 times its squared Frobenius norm."""
    (d, N), classes = Z.shape, [Z[:, labels == k] for k in np.unique(labels)]
    rate = lambda Z_k: np.linalg.slogdet(np.eye(d) + d / (Z_k.shape[1] * eps**2) * Z_k @ Z_k.T)[1] / 2
    return float(rate(Z) - sum(Z_k.shape[1] / N * rate(Z_k) for Z_k in classes) - lam / 2 * (Z**2).sum())


def gradient(Z: np.ndarray, labels: np.ndarray, eps: float, lam: float = 0.0) -> np.ndarray:
    """Its gradient (d, N)."""
    d, N = Z.shape
    alpha = d / (N * eps**2)
    G = alpha * np.linalg.solve(np.eye(d) + alpha * Z @ Z.T, Z) - lam * Z
    for k in np.unique(labels):
        mine = labels == k
        alpha_k = d / (mine.sum() * eps**2)
        G[:, mine] -= alpha * np.linalg.solve(np.eye(d) + alpha_k * Z[:, mine] @ Z[:, mine].T, Z[:, mine])
    return G


def hessian_eigenvalues(Z: np.ndarray, labels: np.ndarray, eps: float, lam: float = 0.0, h: float = 1e-5) -> np.ndarray:
    """The d N eigenvalues of its Hessian, ascending, from central differences of the gradient; right to about 1e-9."""
    Z = np.asarray(Z, dtype=float)
    steps = h * np.eye(Z.size).reshape(-1, *Z.shape)
    rows = [gradient(Z + E, labels, eps, lam) - gradient(Z - E, labels, eps, lam) for E in steps]
    H = np.reshape(rows, (Z.size, Z.size)) / (2 * h)
    return np.linalg.eigvalsh((H + H.T) / 2)


def on_circle(between: np.ndarray, spread: np.ndarray, eps: float) -> np.ndarray:
    """Rate reduction of two classes of two points each on the unit circle: at angles +- spread, and between +- spread (radians).

    Arrays of angles of one shape; the log-determinants are those of 2 x 2 matrices, written out."""
    def rate(angles):  # log det(I + a / n sum z z^T) / 2 with a = d / eps^2, from trace and determinant of the mean of z z^T
        cos, sin = np.cos(angles), np.sin(angles)
        xx, yy, xy = (cos * cos).mean(axis=0), (sin * sin).mean(axis=0), (cos * sin).mean(axis=0)
        a = 2 / eps**2
        return np.log1p(a * (xx + yy) + a**2 * (xx * yy - xy**2)) / 2
    between, spread = np.broadcast_arrays(between, spread)
    first, second = np.stack([-spread, spread]), np.stack([between - spread, between + spread])
    return rate(np.concatenate([first, second])) - (rate(first) + rate(second)) / 2


def uphill(between: float, spread: float, eps: float, steps: int = 150, length: float = 0.03) -> np.ndarray:
    """(2, steps + 1): a path of the two angles (radians) along the gradient of `on_circle`, 0 <= spread <= pi / 2.

    All steps have that length until one fails to climb; it is then taken again with half of it."""
    path, h = [np.array([between, spread])], 1e-5
    for _ in range(steps):
        b, s = path[-1]
        around = on_circle(b + h * np.array([1, -1, 0, 0]), s + h * np.array([0, 0, 1, -1]), eps)
        slope = around[::2] - around[1::2]
        step = length * slope / (np.linalg.norm(slope) + 1e-12)
        new = np.clip(path[-1] + step, [-np.pi, 0], [2 * np.pi, np.pi / 2])
        better = on_circle(*new, eps) > on_circle(b, s, eps)
        path.append(new if better else path[-1])
        length = length if better else length / 2
    return np.array(path).T
