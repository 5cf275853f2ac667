"""Clusters by the fewest nats: samples in one cluster are coded as one Gaussian, and clusters merge while that shortens the code.

    L(X_k) = (N_k + D) R_eps(X_k),   R_eps(X_k) = log det(I + D / (N_k eps^2) X_k X_k^T) / 2        segment_length
    L(labels) = sum_k L(X_k) - sum_k N_k log(N_k / N)                                               coding_length
    gain(k, l) = L(X_k) + L(X_l) - N_k log(N_k / (N_k + N_l)) - N_l log(N_l / (N_k + N_l)) - L(X_k and X_l as one)     merge_gain

D R_eps(X_k) is what the basis of the cluster costs; overhead=False leaves it out (book: Section 4.1.4 does, "for simplicity", and
names it in a footnote). It is in by default since without it two lines and a plane are told apart at hardly any eps, and with it
over two decades (tests hold it). center=True codes each cluster about its own mean mu and pays D log(1 + |mu|^2 / eps^2) / 2 for
it (Ma, Derksen, Hong & Wright 2007): for data that lie along affine subspaces, or in blobs away from 0.

`cluster` is a sequence of up to N - 1 decisions about clusters of all sizes, so it runs on the host, in NumPy and float64, out of
jit. Each merge needs one new row of gains: O(N^2) gains in all, each at O(D^2) on average, and N^2 numbers of memory. 2,000
samples of 3 to 64 dimensions take 3 to 6 seconds (tests/bench). Samples longer than 1e6 eps are refused: the determinants would
lose in float64 what tells them apart.
Book: Section 4.1.4, Algorithm 4.1, alg:steepest_descent_coding_length.
"""

import jax
import numpy as np

from book_utils.validate import matrix, positive


def segment_length(X_k: jax.Array, eps: float, *, overhead: bool = True, center: bool = False) -> float:
    """Nats that code the samples X_k (D, N_k) of one cluster as one Gaussian, to a mean squared error of eps^2; eps > 0.

    (N_k + D) R_eps(X_k), N_k R_eps(X_k) without overhead; about the mean, which is paid for, with center."""
    X_k, eps = _samples(X_k, eps, "X_k", "(D, N_k)")
    return float(_length(X_k, eps, overhead, center))


def coding_length(X: jax.Array, labels: jax.Array, eps: float, *, overhead: bool = True, center: bool = False) -> float:
    """Nats that code X (D, N) cluster by cluster and say which sample is in which: segment lengths and -sum_k N_k log(N_k / N).

    labels (N,): integers, any; equal ones are one cluster. Divided by N it is the rate of the partition."""
    X, eps = _samples(X, eps)
    labels = _partition(labels, X.shape[1], "labels")
    sizes = np.bincount(labels)
    parts = sum(_length(X[:, labels == k], eps, overhead, center) for k in range(len(sizes)))
    return float(parts - sizes @ np.log(sizes / len(labels)))


def merge_gain(X_k: jax.Array, X_l: jax.Array, eps: float, *, overhead: bool = True, center: bool = False) -> float:
    """Nats saved by coding the clusters X_k (D, N_k) and X_l (D, N_l) as one: > 0 where they had better be one cluster.

    The change of `coding_length`, whatever other clusters there are."""
    X_k, eps = _samples(X_k, eps, "X_k", "(D, N_k)")
    X_l, _ = _samples(X_l, eps, "X_l", "(D, N_l)", D=X_k.shape[0])
    apart = _length(X_k, eps, overhead, center) + _length(X_l, eps, overhead, center)
    return float(apart + _labels_saved(X_k.shape[1], X_l.shape[1])
                 - _length(np.concatenate([X_k, X_l], axis=1), eps, overhead, center))


def cluster(X: jax.Array, eps: float, *, start: jax.Array | None = None, overhead: bool = True,
            center: bool = False) -> np.ndarray:
    """Labels (N,) of the samples X (D, N): from N clusters of one sample, merge the pair that saves most until none saves any.

    eps > 0 is the root of the mean squared error. start (N,): begin from these clusters instead (superpixels of an image). Labels
    are 0, ..., K - 1 in the order of first appearance; of equal gains the pair of the earliest samples is merged. Greedy: a local
    optimum among merges, not the shortest code. ValueError on numbers that are not finite, and on eps that is not > 0."""
    X, eps = _samples(X, eps)
    D, N = X.shape
    start = np.arange(N) if start is None else _partition(start, N, "start")
    if D > N:  # the same lengths in the N dimensions that the samples span
        X = np.linalg.qr(X, mode="r")
    clusters = _Clusters(X, start, D, eps, overhead, center)
    clusters.merge_all()
    return _in_order(clusters.labels())


def _in_order(labels):
    """The same partition with labels in the order of first appearance."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]


def _samples(X, eps, name="X", shape="(D, N)", **sizes):
    """X as float64 and eps as a float > 0, or ValueError."""
    X = np.asarray(matrix(X, name, shape, **sizes), np.float64)
    eps = float(positive(eps, "eps"))
    longest = np.sqrt((X**2).sum(axis=0).max())
    if longest > 1e6 * eps:
        raise ValueError(f"eps: got {eps:.3g} for samples of length {longest:.3g}, want at least a millionth of that")
    return X, eps


def _partition(labels, N, name):
    """Labels as 0, ..., K - 1, or ValueError."""
    labels = np.asarray(labels)
    if labels.shape != (N,) or labels.dtype.kind not in "iu":
        raise ValueError(f"{name}: got {labels.dtype} of shape {labels.shape}, want (N,) integers with N = {N}")
    return _in_order(labels)


def _labels_saved(n, m):
    """What two clusters of n and m samples pay to be told apart: n log((n + m) / n) + m log((n + m) / m)."""
    return n * np.log1p(m / n) + m * np.log1p(n / m)


def _length(X, eps, overhead, center):
    D, n = X.shape
    mean = X.mean(axis=1) if center else np.zeros(D)
    F = X - mean[:, None]
    G = F @ F.T if D <= n else F.T @ F
    log_det = np.linalg.slogdet(np.eye(len(G)) + D / (n * eps**2) * G)[1]
    return 0.5 * ((n + D * overhead) * log_det + D * np.log1p(mean @ mean / eps**2))


class _Clusters:
    """Clusters that merge. Of each: its size, sum and length; the numbers of its samples while it is small, else its scatter.

    A row of gains needs log det(I + a (S + F F^T)) for one cluster of scatter S beside every other one, of factor F (D, p) with
    few columns, each with its own a: with the eigenvalues g and vectors Q of S that is sum log(1 + a g) + log det(I + a F^T Q
    diag(1 / (1 + a g)) Q^T F), of size p. Clusters are taken together by size, up to powers of two, with columns of 0 to fill."""

    def __init__(self, X, start, D, eps, overhead, center):
        self.X = np.concatenate([X, np.zeros((len(X), 1))], axis=1)  # the last column, of 0, fills
        self.D, self.eps, self.center, self.extra = D, eps, center, D * overhead
        self.limit = max(1, len(X) // 2)  # members are listed of clusters up to this size, a power of two
        self.limit = 2 ** (self.limit.bit_length() - 1)
        self.sizes = np.bincount(start)
        K, N = len(self.sizes), X.shape[1]
        order = np.argsort(start, kind="stable")
        ends = np.cumsum(self.sizes)
        self.members = [order[end - n:end] for end, n in zip(ends, self.sizes)]
        self.sums = np.stack([X[:, m].sum(axis=1) for m in self.members]) if K < N else X.T[order].copy()
        self.listed = np.full((K, self.limit), N)
        room = N // (self.limit + 1)  # so many clusters can be above the limit at once
        self.scatters, self.place, self.free = np.empty((room, len(X), len(X))), np.full(K, -1), list(range(room))
        for k, m in enumerate(self.members):
            self._keep(k, m)
        self.active = np.ones(K, bool)
        self.lengths = np.array([self._own_length(k) for k in range(K)]) if K < N else self._singletons()

    def labels(self):
        labels = np.empty(self.X.shape[1] - 1, int)
        for k in np.flatnonzero(self.active):
            labels[self.members[k]] = k
        return labels

    def merge_all(self):
        """Merge until no pair gains. The best gain of each row is kept: a merge looks again at few rows beside its own."""
        K = len(self.sizes)
        if K == 1:
            return
        gains = self._first_gains()
        best, where = gains.max(axis=1), gains.argmax(axis=1)
        while True:
            i = int(best.argmax())
            if not best[i] > 0:
                return
            i, j = sorted((i, int(where[i])))
            self._merge(i, j)
            gains[j], gains[:, j], best[j] = -np.inf, -np.inf, -np.inf
            others = np.flatnonzero(self.active)
            others = others[others != i]
            if not len(others):
                return
            row = np.full(K, -np.inf)
            row[others] = self._row(i, others)
            gains[i] = gains[:, i] = row
            best[i], where[i] = row.max(), row.argmax()
            stale = others[(where[others] == i) | (where[others] == j)]
            if len(stale):
                best[stale], where[stale] = gains[stale].max(axis=1), gains[stale].argmax(axis=1)
            better = others[(row[others] > best[others]) | ((row[others] == best[others]) & (i < where[others]))]
            best[better], where[better] = row[better], i

    def _keep(self, k, members):
        self.members[k] = members
        if len(members) <= self.limit:
            self.listed[k, : len(members)] = members
        else:
            self.place[k] = self.free.pop()
            self.scatters[self.place[k]] = self._computed_scatter(k)

    def _scatter(self, k):
        return self.scatters[self.place[k]] if self.place[k] >= 0 else self._computed_scatter(k)

    def _computed_scatter(self, k):
        F = self.X[:, self.members[k]]
        if self.center:
            F = F - (self.sums[k] / self.sizes[k])[:, None]
        return F @ F.T

    def _merge(self, i, j):
        known = self.place[i] >= 0 and self.place[j] >= 0
        if known:
            difference = self.sums[i] / self.sizes[i] - self.sums[j] / self.sizes[j]
            pull = self.sizes[i] * self.sizes[j] / (self.sizes[i] + self.sizes[j]) * self.center
            together = self._scatter(i) + self._scatter(j) + pull * np.outer(difference, difference)
        self.sizes[i] += self.sizes[j]
        self.sums[i] += self.sums[j]
        self.active[j] = False
        members = np.concatenate([self.members[i], self.members[j]])
        for k in (i, j):
            if self.place[k] >= 0 and not (known and k == i):
                self.free.append(self.place[k])
                self.place[k] = -1
        if known:
            self.members[i], self.scatters[self.place[i]] = members, together
        else:
            self._keep(i, members)
        self.lengths[i] = self._own_length(i)

    def _mean_length(self, sums, sizes):
        return 0.5 * self.D * np.log1p((sums**2).sum(axis=-1) / (sizes * self.eps) ** 2) if self.center else 0.0

    def _own_length(self, k):
        n = self.sizes[k]
        if n < len(self.X) and self.place[k] < 0:
            F = self.X[:, self.members[k]]
            F = F - (self.sums[k] / n)[:, None] if self.center else F
            S = F.T @ F
        else:
            S = self._scatter(k)
        log_det = np.linalg.slogdet(np.eye(len(S)) + self.D / (n * self.eps**2) * S)[1]
        return 0.5 * (n + self.extra) * log_det + self._mean_length(self.sums[k], n)

    def _singletons(self):
        squares = np.zeros(len(self.sizes)) if self.center else (self.sums**2).sum(axis=1)
        return 0.5 * (1 + self.extra) * np.log1p(self.D / self.eps**2 * squares) + self._mean_length(self.sums, 1)

    def _first_gains(self):
        """All gains (K, K), with -inf on the diagonal; of pairs of singletons from the products of samples alone."""
        K = len(self.sizes)
        if self.sizes.max() == 1:
            products, a = self.sums @ self.sums.T, self.D / (2 * self.eps**2)
            squares = np.diag(products)
            if self.center:  # one direction, that of the difference, with half of its square
                log_det = np.log1p(a * np.maximum(squares[:, None] + squares - 2 * products, 0) / 2)
                log_det = log_det + self.D / (2 + self.extra) * np.log1p(
                    np.maximum(squares[:, None] + squares + 2 * products, 0) / (4 * self.eps**2))
            else:
                area = np.maximum(squares[:, None] * squares - products**2, 0)
                log_det = np.log1p(a * (squares[:, None] + squares) + a**2 * area)
            gains = self.lengths[:, None] + self.lengths + 2 * np.log(2) - 0.5 * (2 + self.extra) * log_det
        else:
            gains = np.empty((K, K))
            for k in range(K - 1):
                gains[k, k + 1:] = gains[k + 1:, k] = self._row(k, np.arange(k + 1, K))
        np.fill_diagonal(gains, -np.inf)
        return gains

    def _row(self, k, others):
        """Gains of merging cluster k with each of `others`."""
        n = self.sizes[k]
        S = self._scatter(k)
        g, Q = np.linalg.eigh(S)
        g, mine = np.maximum(g, 0), Q.T @ (self.sums[k] / n)
        sizes = self.sizes[others]
        log_dets = np.empty(len(others))
        small = sizes <= self.limit
        width = 1
        while width <= self.limit:
            chosen = np.flatnonzero(small & (sizes <= width) & (sizes > width // 2))
            if len(chosen):
                log_dets[chosen] = self._beside_small(others[chosen], width, n, g, Q, mine)
            width *= 2
        chosen = np.flatnonzero(~small)
        if len(chosen):
            log_dets[chosen] = self._beside_large(others[chosen], n, S, self.sums[k] / n)
        together = 0.5 * (n + sizes + self.extra) * log_dets + self._mean_length(self.sums[k] + self.sums[others], n + sizes)
        return self.lengths[k] + self.lengths[others] + _labels_saved(n, sizes) - together

    def _beside_small(self, others, width, n, g, Q, mine):
        sizes = self.sizes[others]
        a = self.D / ((n + sizes) * self.eps**2)
        shrink = 1 / (1 + np.outer(g, a))  # (D, others)
        if width == 1:
            y = Q.T @ self.sums[others].T
            y = (y - mine[:, None]) * np.sqrt(n / (n + 1)) if self.center else y
            return -np.log(shrink).sum(axis=0) + np.log1p(a * (shrink * y**2).sum(axis=0))
        F = (Q.T @ self.X[:, self.listed[others, :width].ravel()]).reshape(len(g), len(others), width)
        if self.center:
            means = Q.T @ (self.sums[others] / sizes[:, None]).T
            F = F - means[:, :, None] * (np.arange(width) < sizes[:, None])
            apart = (means - mine[:, None]) * np.sqrt(n * sizes / (n + sizes))
            F = np.concatenate([F, apart[:, :, None]], axis=2)
        F = (F * np.sqrt(a * shrink)[:, :, None]).transpose(1, 0, 2)
        grams = F.transpose(0, 2, 1) @ F + np.eye(F.shape[2])
        return -np.log(shrink).sum(axis=0) + _log_det(grams)

    def _beside_large(self, others, n, S, mean):
        sizes = self.sizes[others]
        both = self.scatters[self.place[others]] + S
        if self.center:
            apart = (self.sums[others] / sizes[:, None] - mean) * np.sqrt(n * sizes / (n + sizes))[:, None]
            both += apart[:, :, None] * apart[:, None, :]
        a = self.D / ((n + sizes) * self.eps**2)
        return _log_det(np.eye(len(S)) + a[:, None, None] * both)


def _log_det(matrices):
    """Log-determinants of a stack of symmetric matrices, none with an eigenvalue below 1."""
    if matrices.shape[-1] == 2:
        return np.log(matrices[:, 0, 0] * matrices[:, 1, 1] - matrices[:, 0, 1] ** 2)
    if matrices.shape[-1] == 3:
        a, b, c, d, e, f = (matrices[:, i, j] for i, j in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)))
        return np.log(a) + np.log((d - b * b / a) * (f - c * c / a) - (e - b * c / a) ** 2)
    return 2 * np.log(np.diagonal(np.linalg.cholesky(matrices), axis1=1, axis2=2)).sum(axis=1)
