"""How far sparse codes and learned dictionaries carry: what the Doubt of Part 4 measures.

Each public function is run by `book build --long`; on one core they take from half a minute to three.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from book_utils import data, sparse

from .long_lista import planted, trained, unit_columns

SEEDS = 3


def digit_frontier() -> dict:
    """Nonzeros and relative errors of codes of 500 digits, (dictionaries, lams, splits); with OMP (dictionaries, ks, splits).

    The other 1,297 digits (8 x 8, pixels between 0 and 1, not centred) are for learning: 200 sweeps, once for each lam, 64
    atoms from random ones and 256 from raw images; for OMP those learned with lam = 0.2. Codes by 500 steps of FISTA. Raw
    images are scaled to length 1.
    """
    lams, ks = [0.05, 0.1, 0.2, 0.4, 0.8], [2, 5, 10]
    names = ["learned, 64 atoms", "learned, 256 atoms", "256 raw images", "256 random atoms", "principal components"]
    X = np.asarray(data.digits()[0])
    nonzeros, errors = np.zeros((2, len(names), len(lams), SEEDS))
    omp_errors = np.zeros((len(names), len(ks), SEEDS))
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        order = rng.permutation(X.shape[1])
        train, test = X[:, order[:1297]], X[:, order[1297:]]
        raw = train[:, :256] / np.linalg.norm(train[:, :256], axis=0)
        few, random = (A / np.linalg.norm(A, axis=0) for A in (rng.normal(size=(64, 64)), rng.normal(size=(64, 256))))
        for j, lam in enumerate(lams):
            learned = [sparse.dictionary_learning(A, train, lam, 200)[0] for A in (few, raw)]
            dictionaries = [*learned, raw, random, np.linalg.svd(train, full_matrices=False)[0]]
            for i, A in enumerate(dictionaries):
                Z = sparse.fista(A, test, lam, 500)[0]
                nonzeros[i, j, seed] = (Z != 0).sum(axis=0).mean()
                errors[i, j, seed] = np.linalg.norm(test - A @ Z) / np.linalg.norm(test)
                if lam == 0.2:
                    unit = A / np.linalg.norm(A, axis=0)
                    misses = [np.linalg.norm(test - unit @ sparse.omp(unit, test, k)) for k in ks]
                    omp_errors[i, :, seed] = np.array(misses) / np.linalg.norm(test)
    return {"names": names, "lams": lams, "nonzeros": nonzeros, "errors": errors, "ks": ks, "omp_errors": omp_errors}


def recovery_limits() -> dict:
    """Share of codes that OMP and the l1 norm recover, D = 64, m = 128, 100 samples without noise for each of 3 dictionaries.

    "by_k": against the number k of nonzeros, random atoms: (methods, kinds of values, ks, seeds). "by_coherence": k = 5, with
    atoms pulled towards one common direction, and in pairs towards each other: (methods, ways, pulls, seeds), with the
    coherences. Recovered: relative error below 0.05. OMP is told k. The l1 norm: FISTA, 3,000 steps, with lam = 0.001 of the
    lam that kills all codes; A Z = X is first multiplied by (A A^T)^(-1/2), which has the same solutions and converges fast.
    """
    D, m, N = 64, 128, 100
    ks, pulls = [2, 5, 10, 15, 20, 25, 30, 35], [0.0, 0.25, 0.5, 1.0, 2.0, 4.0]

    def shares(A: np.ndarray, k: int, rng: np.random.Generator, signs: bool) -> list[float]:
        Z, rank = np.zeros((m, N)), rng.random((m, N)).argsort(axis=0).argsort(axis=0)
        Z[rank < k] = rng.choice([-1, 1], k * N) if signs else rng.normal(size=k * N)
        squares, Q = np.linalg.eigh(A @ A.T)
        B = Q / np.sqrt(squares) @ Q.T @ A
        by_l1 = sparse.fista(B, B @ Z, 1e-3 * float(sparse.lambda_max(B, B @ Z)), 3000)[0]
        found = [sparse.omp(A, A @ Z, k), by_l1]
        return [float((np.linalg.norm(F - Z, axis=0) < 0.05 * np.linalg.norm(Z, axis=0)).mean()) for F in map(np.asarray, found)]

    by_k, by_coherence = np.zeros((2, 2, len(ks), SEEDS)), np.zeros((2, 2, len(pulls), SEEDS))
    coherence = np.zeros((2, len(pulls), SEEDS))
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        A = rng.normal(size=(D, m))
        A /= np.linalg.norm(A, axis=0)
        for i, signs in enumerate((False, True)):
            for j, k in enumerate(ks):
                by_k[:, i, j, seed] = shares(A, k, rng, signs)
        common = rng.normal(size=(D, 1)) / np.sqrt(D)
        partner = A.reshape(D, m // 2, 2)[:, :, ::-1].reshape(D, m)
        for i, direction in enumerate((common, partner)):
            for j, pull in enumerate(pulls):
                pulled = A + (pull if i == 0 else pull / (pull + 1.1)) * direction  # partners never quite meet
                pulled = pulled / np.linalg.norm(pulled, axis=0)
                coherence[i, j, seed] = sparse.coherence(pulled)
                by_coherence[:, i, j, seed] = shares(pulled, 5, rng, False)
    return {"methods": ["OMP", "l1"], "ks": ks, "by_k": by_k, "pulls": pulls, "coherence": coherence,
            "by_coherence": by_coherence}


def atoms_found() -> dict:
    """Share of the true atoms that dictionary learning finds, D = 16, m = 32, from random atoms: by k and N, and by method.

    Codes with k entries of size 1 to 2 and random signs, lam = 0.2. "by_k_and_N": 500 sweeps of `sparse.dictionary_learning`,
    2,000 steps on the codes, (ks, Ns, seeds). "harder": 5 and 6 nonzeros, N = 2,000, from random atoms with 2,000 sweeps and
    from atoms at cosines of about 0.9 with the true ones with 500: (ks, starts, seeds). "by_method": k = 3, N = 2,000, 2,000
    steps on the codes, (methods, seeds), with the objective reached per sample: a gradient step on codes and atoms in turn,
    from where they are; twenty of each in turn, codes from zero, atoms from where they are, or from new random ones every
    time; dictionary_learning. Found: cosine above 0.95 with an atom of the result.
    """
    D, m, lam = 16, 32, 0.2
    ks, Ns = [2, 3, 4, 5, 6], [125, 250, 500, 1000, 2000]

    def case(k: int, N: int, rng: np.random.Generator) -> tuple:
        A, rank = rng.normal(size=(D, m)), rng.random((m, N)).argsort(axis=0).argsort(axis=0)
        A /= np.linalg.norm(A, axis=0)
        Z = np.where(rank < k, rng.choice([-1, 1], (m, N)) * rng.uniform(1, 2, (m, N)), 0)
        return A, jnp.asarray(A @ Z, jnp.float32), random_atoms(rng)

    def random_atoms(rng: np.random.Generator) -> jax.Array:
        A = rng.normal(size=(D, m))
        return jnp.asarray(A / np.linalg.norm(A, axis=0), jnp.float32)

    def share(found: jax.Array, A: np.ndarray) -> float:
        found = np.asarray(found)
        return float((np.abs(A.T @ (found / np.maximum(np.linalg.norm(found, axis=0), 1e-9))).max(axis=1) > 0.95).mean())

    grid = np.zeros((len(ks), len(Ns), SEEDS))
    for i, k in enumerate(ks):
        for j, N in enumerate(Ns):
            for seed in range(SEEDS):
                A, X, start = case(k, N, np.random.default_rng(seed))
                grid[i, j, seed] = share(sparse.dictionary_learning(start, X, lam, 500)[0], A)

    harder = np.zeros((2, 2, SEEDS))
    for i, k in enumerate((5, 6)):
        for seed in range(SEEDS):
            A, X, start = case(k, 2000, np.random.default_rng(seed))
            near = A + 0.5 * np.asarray(start)
            for j, (atoms, steps) in enumerate([(start, 2000), (near / np.linalg.norm(near, axis=0), 500)]):
                harder[i, j, seed] = share(sparse.dictionary_learning(jnp.asarray(atoms, jnp.float32), X, lam, steps)[0], A)

    def step_size(M: jax.Array) -> jax.Array:
        return 0.5 / jnp.maximum(sparse.spectral_norm(M) ** 2, 1e-9)

    def turn(state: tuple, X: jax.Array) -> tuple:
        A, Z = state
        Z = sparse.ista_step(A, X, Z, lam, step_size(A))
        return sparse.dictionary_step(A, X, Z, step_size(Z)), Z

    @jax.jit
    def in_turn(A: jax.Array, X: jax.Array) -> jax.Array:
        return jax.lax.fori_loop(0, 2000, lambda _, state: turn(state, X), (A, jnp.zeros((m, X.shape[1]))))[0]

    @jax.jit
    def block(A: jax.Array, start: jax.Array, X: jax.Array) -> jax.Array:
        Z = sparse.ista(A, X, lam, 20)[0]
        nu = step_size(Z)
        return jax.lax.fori_loop(0, 20, lambda _, A: sparse.dictionary_step(A, X, Z, nu), start)

    methods, objectives = np.zeros((2, 4, SEEDS))
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        A, X, start = case(3, 2000, rng)
        warm = new = start
        for _ in range(100):
            warm, new = block(warm, warm, X), block(new, random_atoms(rng), X)
        for i, found in enumerate((in_turn(start, X), warm, new, sparse.dictionary_learning(start, X, lam, 500)[0])):
            Z = sparse.fista(found, X, lam, 500)[0]
            methods[i, seed], objectives[i, seed] = share(found, A), float(sparse.lasso_objective(found, X, Z, lam)) / 2000
    return {"ks": ks, "Ns": Ns, "by_k_and_N": grid, "harder": harder,
            "methods": ["one step in turn", "twenty in turn, warm", "twenty in turn, new", "best atoms in turn"],
            "by_method": methods, "objective": objectives}


def layerwise_cost() -> dict:
    """The LASSO objective per test sample that encoders of L layers reach, trained without back-propagation and with it.

    D = 16, m = 32, codes with 3 normal entries, lam = 0.2, 2,000 samples to train and 2,000 to test. "layerwise": L layers of
    layerwise_step from random atoms, the largest safe steps, (Ls, seeds). "back-propagation": 10 layers and a decoder, 3,000
    steps of Adam on batches of 128 on the same objective, the better of two rates on the training samples,
    (seeds,). "dictionary": the atoms after 1,000 layers, then 10 or 1,000 steps of ISTA with them, (2, seeds).
    """
    D, m, lam, L, N = 16, 32, 0.2, 10, 2000
    Ls = [10, 100, 1000, 3000]

    def half_inverse_square(A: jax.Array) -> jax.Array:
        return 0.5 / jnp.maximum(sparse.spectral_norm(A) ** 2, 1e-9)

    @jax.jit
    def layer(state: tuple, X: jax.Array, T: jax.Array) -> tuple:
        A, Z, Z_test = state
        eta = half_inverse_square(A)
        Z_test = sparse.ista_step(A, T, Z_test, lam, eta)
        Z = sparse.ista_step(A, X, Z, lam, eta)
        return sparse.dictionary_step(A, X, Z, half_inverse_square(Z)), Z, Z_test

    class Network(eqx.Module):
        As: jax.Array
        decoder: jax.Array

        def objective(self, X: jax.Array) -> jax.Array:
            Z = sparse.lista(self.As, X, lam, half_inverse_square(self.As[0]))
            return sparse.lasso_objective(sparse.project_columns(self.decoder), X, Z, lam) / X.shape[1]

    layerwise, network, dictionary = np.zeros((len(Ls), SEEDS)), np.zeros(SEEDS), np.zeros((2, SEEDS))
    for seed in range(SEEDS):
        keys = jax.random.split(jax.random.key(seed), 5)
        A = unit_columns(keys[0], D, m)
        X, T = planted(keys[1], A, N, 3)[0], planted(keys[2], A, N, 3)[0]
        start = unit_columns(keys[3], D, m)
        run = jax.jit(lambda state, steps: jax.lax.fori_loop(0, steps, lambda _, s: layer(s, X, T), state), static_argnums=1)
        state = start, jnp.zeros((m, N)), jnp.zeros((m, N))
        for i, steps in enumerate(np.diff([0, *Ls]).tolist()):
            state = run(state, steps)
            layerwise[i, seed] = sparse.lasso_objective(state[0], T, state[2], lam) / N
            if Ls[i] == 1000:
                dictionary[:, seed] = [sparse.ista(state[0], T, lam, steps)[1][-1] / N for steps in (10, 1000)]
        begin = Network(jnp.stack([start] * L), start)
        loss = lambda net, chosen: net.objective(X[:, chosen])
        learn = eqx.filter_jit(lambda rate: trained(begin, loss, keys[4], N, rate, 3000, 128))
        networks = [learn(jnp.array(rate)) for rate in (1e-3, 4e-3)]
        network[seed] = min(networks, key=lambda net: float(net.objective(X))).objective(T)
    return {"Ls": Ls, "layerwise": layerwise, "network": network, "dictionary": dictionary}
