"""What was handed in: notebooks in a folder or a zip, whose they are by their names, and which one of several counts.

Nothing inside a notebook says whose it is. Of a path the outermost part that has a known form decides, and of that part its beginning,
which Canvas or Moodle wrote and the student did not.
"""

import contextlib
import hashlib
import re
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from book_utils.course.errors import CourseError
from book_utils.course.grading.rosters import CANVAS, MOODLE, Roster, Student, folded, squashed

LARGEST = 50_000_000  # bytes of a notebook

_CANVAS = re.compile(r"(?P<name>[^_]+)_(?P<late>LATE_)?(?P<id>\d+)_(?P<number>\d+)_(?P<rest>.+)", re.DOTALL)
_MOODLE = re.compile(r"(?P<name>.+?)_(?P<id>\d+)_assignsubmission_(?:file|onlinetext)(?:_(?P<rest>.*))?", re.DOTALL)
_AGAIN = re.compile(r"-(\d+)$")


@dataclass(frozen=True)
class Submission:
    """One file that was handed in."""

    file: str  # its path in the folder or zip, with slashes
    digest: str = ""  # of its contents; "" where they are not read
    owner: str = ""  # key of the student; "" where it belongs to nobody
    late: bool = False  # says its name
    order: tuple = ()  # of several by one student the largest counts
    form: str = ""  # canvas, moodle, or "" for a plain name
    part: str = ""  # the part of its path that said whose it is
    trouble: str = ""  # why it is not marked, in a sentence


@dataclass(frozen=True)
class Collection:
    """All files, in order."""

    source: Path
    submissions: tuple[Submission, ...]

    def chosen(self) -> dict[str, Submission]:
        """The one that counts, by key of the student."""
        best: dict[str, Submission] = {}
        for submission in self.submissions:
            if submission.owner and (submission.owner not in best or submission.order > best[submission.owner].order):
                best[submission.owner] = submission
        return best

    @contextlib.contextmanager
    def file(self, submission: Submission) -> Iterator[Path]:
        """A file with the contents of a submission, for as long as the context lasts."""
        if self.source.is_dir():
            yield self.source / submission.file
            return
        with tempfile.TemporaryDirectory(prefix="book-grade-") as folder:
            path = Path(folder) / "submission.ipynb"
            path.write_bytes(contents(self.source, submission))
            yield path


def files(source: Path) -> list[Submission]:
    """Everything in a folder or a zip, in order; nobody's yet. CourseError where there is neither folder nor zip."""
    return list(_folder(source) if source.is_dir() else _zip(source))


def contents(source: Path, submission: Submission) -> bytes:
    """The bytes of a submission without trouble."""
    if source.is_dir():
        return (source / submission.file).read_bytes()
    with zipfile.ZipFile(source) as archive, archive.open(submission.file) as packed:
        return packed.read(LARGEST + 1)


def collect(source: Path, roster: Roster, name: str) -> Collection:
    """Everything in a folder or a zip, each file with its owner or the reason why it has none. `name` is the assignment's.

    CourseError where there is neither folder nor zip, no notebook, or none that belongs to anyone in the roster.
    """
    found = tuple(_identified(submission, roster, name) for submission in files(source))
    notebooks = [s for s in found if s.file.lower().endswith(".ipynb")]
    if not notebooks:
        raise CourseError(f"There is no notebook in {source}.")
    if not any(s.owner for s in notebooks):
        raise CourseError(f"None of the {len(notebooks)} notebooks in {source} belongs to anyone in {roster.path}, "
                          f"for instance {notebooks[0].file!r}: is this the roster of this course?")
    return Collection(source, found)


def _hidden(parts: tuple[str, ...]) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)


def _folder(source: Path) -> Iterator[Submission]:
    for path in sorted(source.rglob("*")):
        parts = path.relative_to(source).parts
        file = "/".join(parts)
        if _hidden(parts) or (path.is_dir() and not path.is_symlink()):
            continue
        inside = any((source / Path(*parts[:i])).is_symlink() for i in range(1, len(parts) + 1))
        if inside:
            yield Submission(file, trouble="It is a link, and links are not followed.")
        elif not path.is_file():
            yield Submission(file, trouble="It is no ordinary file.")
        else:
            try:
                with path.open("rb") as opened:
                    yield _read(file, path.stat().st_size, opened)
            except OSError as error:
                yield Submission(file, trouble=f"It cannot be opened: {error.strerror}.")


def _zip(source: Path) -> Iterator[Submission]:
    try:
        with zipfile.ZipFile(source) as archive:
            for _, entry in sorted(archive.NameToInfo.items()):  # of two entries of one name the later one, as when it is unpacked
                if entry.is_dir() or _hidden(PurePosixPath(entry.filename).parts):
                    continue
                try:
                    with archive.open(entry) as opened:
                        yield _read(entry.filename, entry.file_size, opened)
                except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError):
                    yield Submission(entry.filename, trouble="It is damaged, or packed in a way that cannot be read.")
    except FileNotFoundError:
        raise CourseError(f"There is no {source}.") from None
    except (zipfile.BadZipFile, OSError):
        raise CourseError(f"{source} is neither a folder nor a zip file that can be read.") from None


def _read(file: str, size: int, opened) -> Submission:
    if not file.lower().endswith(".ipynb"):
        return Submission(file, trouble="It is not a notebook (.ipynb).")
    if size > LARGEST:
        return Submission(file, trouble=f"It is larger than {LARGEST // 1_000_000} MB.")
    return Submission(file, digest=hashlib.file_digest(opened, "sha256").hexdigest())


def _identified(submission: Submission, roster: Roster, name: str) -> Submission:
    """With its owner, or with the reason why there is none."""
    parts = PurePosixPath(submission.file).parts
    last = parts[-1]
    for depth, part in enumerate(parts, start=1):
        whole = depth == len(parts)  # a file; the others are folders
        stem = PurePosixPath(last).stem if whole else part
        match, form = _formed(stem, roster)
        if match:
            owners = _numbered(match, form, roster)
            late = form == CANVAS and bool(match["late"])
            number = int(match["number"]) if form == CANVAS else 0
            rest = (match["rest"] or "") if whole else PurePosixPath(last).stem
        else:
            number, late = 0, bool(re.search(r"_LATE(?=_|$)", stem))
            owners, rest = _named(re.sub(r"_LATE(?=_|$)", "", stem), roster, name), PurePosixPath(last).stem
        if match or owners:
            break
    else:
        return replace(submission, trouble="Its name does not say whose it is: it is no login and no name of the roster, "
                                           "and has not the form that Canvas or Moodle gives.")
    if len(owners) != 1:
        several = f"{len(owners)} students of the roster could have handed it in."
        return replace(submission, trouble=several if owners else "Nobody in the roster has the number or name in its name.")
    again = _AGAIN.search(rest)
    plain = _AGAIN.sub("", rest)
    readable = bool(submission.digest)
    order = (readable, folded(plain).endswith(folded(name)), int(again[1]) if again else 0, number, submission.file)
    return replace(submission, owner=owners[0].key, late=late, order=order, form=form, part=part)


def _formed(stem: str, roster: Roster) -> tuple[re.Match | None, str]:
    """(match, canvas or moodle) of a name that one of them gave; the form of the roster's own system is tried first."""
    for form in (CANVAS, MOODLE) if roster.kind == CANVAS else (MOODLE, CANVAS):
        if match := (_CANVAS if form == CANVAS else _MOODLE).fullmatch(stem):
            return match, form
    return None, ""


def _numbered(match: re.Match, form: str, roster: Roster) -> list[Student]:
    """Whose number stands in a name; where the roster has no such numbers, whose name does."""
    if form == roster.kind == CANVAS:
        return [s for s in roster.students if s.key == match["id"]]
    if form == roster.kind == MOODLE and "Identifier" in roster.columns:
        return [s for s in roster.students if re.search(r"\d+$", s.key) and re.search(r"\d+$", s.key)[0] == match["id"]]
    return [s for s in roster.students if squashed(match["name"]) in s.spellings]


def _named(stem: str, roster: Roster, name: str) -> list[Student]:
    """Whose login, number, address or name a plain file or folder has, the assignment's name behind it or not."""
    wanted = {folded(stem), folded(stem.removesuffix(f"_{name}"))}
    found = [s for s in roster.students if wanted & {*s.handles, folded(s.key)}]
    return found or [s for s in roster.students if {squashed(text) for text in wanted} & s.spellings]
