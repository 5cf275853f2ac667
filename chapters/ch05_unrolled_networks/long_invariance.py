"""ReduNet made invariant to rotations of digits, beside rivals that need no layers: measurements behind Part 2."""

import numpy as np
import scipy.ndimage

from book_utils import data, invariance

D, RADII, CHANNELS, LAYERS = 200, 15, 20, 40  # angles, radii, channels after the lift, layers
STEP, LAM = 0.5, 500.0


def polar(images: np.ndarray) -> np.ndarray:
    """Signals (N, 15, 200) around the centre of images (784, N) of 28 x 28: channel c is the circle of radius c + 0.5 pixels - less
    where that would leave the image - at 200 angles, by linear interpolation. Turning an image shifts them, up to that."""
    angles, radii = 2 * np.pi * np.arange(D) / D, np.linspace(0.5, 13.5, RADII)
    places = 13.5 + radii[:, None] * np.stack([np.sin(angles), np.cos(angles)])[:, None]
    return np.stack([scipy.ndimage.map_coordinates(x.reshape(28, 28), places, order=1) for x in images.T])


def lifted(Zs: np.ndarray, seed: int) -> np.ndarray:
    """20 channels (N, 20, 200): signals convolved with Gaussian kernels of 5 angles, summed over radii, with a ReLU."""
    kernels = np.zeros((CHANNELS, RADII, D))
    kernels[..., :5] = np.random.default_rng(seed).normal(size=(CHANNELS, RADII, 5))
    spectra = np.einsum("acf,ncf->naf", np.fft.rfft(kernels), np.fft.rfft(Zs))
    return np.maximum(np.fft.irfft(spectra, D), 0)


def samples(seed: int, N_k: int = 10, test: int = 300) -> tuple[np.ndarray, ...]:
    """Images and labels of N_k digits of each class, and of `test` others of MNIST."""
    X, y = (np.asarray(a) for a in data.mnist())
    order = np.random.default_rng(seed).permutation(len(y))
    chosen = np.concatenate([order[y[order] == k][:N_k] for k in range(10)])
    rest = order[~np.isin(order, chosen)][:test]
    return X[:, chosen], y[chosen], X[:, rest], y[rest]


def gate(net: invariance.InvariantReduNet, Zs: np.ndarray, layer: int) -> np.ndarray:
    """The class (N,) whose compression leaves least of the features that enter a layer."""
    Zh = np.fft.rfft(Zs)
    pairs = np.where(np.arange(D // 2 + 1) * 2 % D == 0, 1, 2)
    C = np.asarray(net.C[layer])
    left = np.stack([np.sum(pairs * np.abs(np.einsum("fac,ncf->naf", C_k, Zh)) ** 2, axis=(1, 2)) for C_k in C])
    return left.argmin(axis=0)


def cut(net: invariance.InvariantReduNet, L: int) -> invariance.InvariantReduNet:
    """The first L layers of a network."""
    return invariance.InvariantReduNet(net.E[:L], net.C[:L], net.gamma, net.eta, net.lam)


def cosines(Zs: np.ndarray, labels: np.ndarray, copies: int = 20) -> np.ndarray:
    """Mean |cosine| (10, 10) between signals of two classes, each in `copies` rotations."""
    turned = np.concatenate([np.roll(Zs, D // copies * j, axis=-1).reshape(len(Zs), -1) for j in range(copies)])
    turned = turned / np.linalg.norm(turned, axis=1, keepdims=True)
    table, all_labels = np.abs(turned @ turned.T), np.tile(labels, copies)
    np.fill_diagonal(table, np.nan)
    return np.array([[np.nanmean(table[np.ix_(all_labels == a, all_labels == b)]) for b in range(10)] for a in range(10)])


def rotated_digits() -> dict:
    """The book's Example 5.2 for eps^2 = 0.1 and 0.01, three seeds: Delta R per layer of 100 training digits and of 100 others,
    accuracy of the gate on 300 other digits, rotated at random, at layers 0, 5, ..., and cosines between classes (first seed)."""
    found = {"layers": list(range(0, LAYERS, 5)) + [LAYERS - 1], "eps2": [0.1, 0.01], "train": [], "test": [], "gate": []}
    for eps2 in found["eps2"]:
        runs = [], [], []
        for seed in range(3):
            X, y, X_new, y_new = samples(seed)
            Zs, new = lifted(polar(X), seed), lifted(polar(X_new), seed)
            shifts = np.random.default_rng(100 + seed).integers(D, size=len(new))
            new = np.stack([np.roll(V, s, axis=-1) for V, s in zip(new, shifts)])
            net, rates = invariance.build(Zs, y, STEP, eps2**0.5, LAM, LAYERS)
            inputs, hundred = [new], np.arange(100)
            for layer in range(LAYERS):
                one = invariance.InvariantReduNet(net.E[layer:layer + 1], net.C[layer:layer + 1], net.gamma, STEP, LAM)
                inputs.append(np.asarray(one(inputs[-1])))
            runs[0].append(np.asarray(rates).tolist())
            runs[1].append([float(invariance.orbit_rate_reduction(_unit(V[hundred]), y_new[hundred], eps2**0.5))
                            for V in inputs])
            runs[2].append([float(np.mean(gate(net, inputs[layer], layer) == y_new)) for layer in found["layers"]])
            if seed == 0 and eps2 == 0.1:
                found["before"], found["lifted"] = cosines(polar(X), y).tolist(), cosines(Zs, y).tolist()
                found["after"] = cosines(np.asarray(net(Zs)), y).tolist()
                found["after_test"] = cosines(inputs[-1][hundred], y_new[hundred]).tolist()
        for name, values in zip(("train", "test", "gate"), runs):
            found[name].append(values)
    return found


def rotation_rivals() -> dict:
    """Accuracy on 150 digits, three seeds, with 10 training digits a class: as they are, rotated on the polar grid by a
    random angle, and rotated as images (linear interpolation), for the gate of one layer and of ten on lifted signals
    (eps^2 = 0.1) and for nearest neighbours of polar signals: as they are, in their best rotation, and by amplitudes of DFTs.

    Also the mean relative distance between features of an image turned by 90, 18 and 45 degrees and shifted ones."""
    names = ["gate, layer 1", "gate, layer 10", "1-NN", "1-NN over rotations", "1-NN of |DFT|"]
    found = {"names": names, "N_k": 10, "accuracy": [], "angles": [90, 18, 45], "distance": []}
    for seed in range(3):
        X, y, X_new, y_new = samples(seed, found["N_k"], 150)
        shifts = np.random.default_rng(200 + seed).integers(D, size=len(y_new))
        plain, train = polar(X_new), polar(X)
        shifted = np.stack([np.roll(V, s, axis=-1) for V, s in zip(plain, shifts)])
        turned = polar(np.stack([turn(x, 360 * s / D) for x, s in zip(X_new.T, shifts)], axis=1))
        net, _ = invariance.build(lifted(train, seed), y, STEP, 0.1**0.5, LAM, 10)
        A, table = np.fft.fft(_unit(train)), []
        for V in (plain, shifted, turned):
            up, B = lifted(V, seed), np.fft.fft(_unit(V))
            dots = np.stack([np.fft.ifft(np.einsum("ncf,cf->nf", A.conj(), b)).real for b in B])  # (test, N, rotation)
            amplitudes = np.abs(B).reshape(len(B), -1) @ np.abs(A).reshape(len(A), -1).T
            answers = [gate(net, up, 0), gate(net, np.asarray(cut(net, 9)(up)), 9), y[dots[..., 0].argmax(axis=1)],
                       y[dots.max(axis=2).argmax(axis=1)], y[amplitudes.argmax(axis=1)]]
            table.append([float(np.mean(a == y_new)) for a in answers])
        found["accuracy"].append(table)
        features = lambda X: np.asarray(net(lifted(polar(X), seed)))
        base = features(X_new[:, :50])
        turns = [features(np.stack([turn(x, angle) for x in X_new[:, :50].T], axis=1)) for angle in found["angles"]]
        found["distance"].append([float(np.linalg.norm(V - np.roll(base, round(angle * D / 360), axis=-1), axis=(1, 2)).mean())
                                  for V, angle in zip(turns, found["angles"])])
    return found


def _unit(V: np.ndarray) -> np.ndarray:
    return V / np.linalg.norm(V, axis=(1, 2), keepdims=True)


def turn(x: np.ndarray, degrees: float) -> np.ndarray:
    """An image (784,) turned about its centre, so that its polar signal is shifted by as many degrees."""
    return scipy.ndimage.rotate(x.reshape(28, 28), -degrees, reshape=False, order=1).ravel()
