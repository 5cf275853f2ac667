"""The process that gives marks: it runs the frozen checks, draws inputs from the assignment's secret, and lets cells run what students wrote.

    python -m book_utils.course.grading.marker ASSIGNMENT WALLS SECONDS       (marking.py starts it, with the frozen package first on the path)

A line {"path": ...} on standard input is answered by a line with the marks. No line of a student's code runs here.
"""

import ast
import contextlib
import dataclasses
import json
import os
import re
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import book_utils
from book_utils.course import catalog, guard, workspace
from book_utils.course.checking import generator, judge
from book_utils.course.derivations import lines_of
from book_utils.course.errors import CourseError
from book_utils.course.exercises import Broken, Exercise
from book_utils.course.grading import celltree, marks, replies, written
from book_utils.course.grading.assignment import ROUNDS, Assignment, Item, load
from book_utils.course.grading.marks import Held, Mark, Marked
from book_utils.course.grading.sandbox import Cell, Gone
from book_utils.course.transport import Proxy, Raised, Transport, inputs

SIZE, SOURCE, CELLS = 20 << 20, 1 << 20, 1000  # bytes of a notebook, characters of its code, cells that are run
CALL, MORE, EXERCISE, WHOLE = 20.0, 5.0, 90.0, 400.0  # seconds: a call or a cell, until it is ended from outside, an exercise, a submission
_ENDINGS = 4  # after so many cells that ended their process, the rest of a submission is left


@dataclass(frozen=True)
class Piece:
    """A code cell of a submission that is run."""

    number: int  # its place among the code cells, from 1
    source: str
    names: tuple[str, ...]  # exercises of the assignment that it answers


@dataclass
class Found:
    """What was found of one exercise."""

    held: set[str] = field(default_factory=set)
    status: str = "FAILS"
    text: str = ""


class Refusal(Exception):
    """A file that is not a submission; the text says why."""


def pieces(notebook: dict, known: set[str], names: set[str]) -> list[Piece]:
    """The cells to run, in order: of each exercise the last one, and every cell that is not the handout's. Refusal where they are too many."""
    sources = [cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "code"]
    if len(sources) > CELLS or sum(map(len, sources)) > SOURCE:
        raise Refusal("it has more code than a submission can have")
    declared = [tuple(name for name in dict.fromkeys(workspace.declared(source)) if name in names) for source in sources]
    last = {name: place for place, found in enumerate(declared) for name in found}
    chosen = []
    for place, source in enumerate(sources):
        mine = tuple(name for name in declared[place] if last[name] == place)
        if mine or not workspace.declared(source) and source.strip() and _text(source) not in known:
            chosen.append(Piece(place + 1, source, mine))
    return chosen


def _text(source: str) -> str:
    return "\n".join(line.rstrip() for line in source.strip().split("\n"))


class Across:
    """The transport to an answer in a cell."""

    def __init__(self, name: str, source: str, bench: "Bench", deadline: float) -> None:
        self.name, self.source, self.bench, self.deadline, self.printed = name, source, bench, deadline, ""

    def call(self, mode: str, args: tuple, options: dict) -> object:
        seconds = min(self.bench.marker.call_seconds + MORE, self.deadline - time.monotonic())
        if seconds <= 0:
            raise guard.TooLong
        reply = self.bench.cell.ask({"call": self.name, "mode": mode, "args": inputs(args), "options": options}, seconds)
        self.printed = self.printed or replies.text(_plain(reply.get("printed")), 300)
        if "result" in reply:
            try:
                return replies.value(reply["result"])
            except replies.Unfit:
                raise Raised("the result is not made of plain numbers") from None
        if "raised" in reply:
            raise Raised(replies.text(reply["raised"], 300), replies.line(reply.get("line")), replies.text(reply.get("code"), 200))
        if "refused" in reply:
            raise guard.Refused(self.bench.marker.refused(replies.text(reply["refused"], 100)))
        if "toolong" in reply:
            raise guard.TooLong
        raise guard.Todo


def _plain(value: object) -> str:
    return value if isinstance(value, str) else ""


class Bench:
    """A submission on its way through cells: a new one, without the guilty piece, whenever one has ended."""

    def __init__(self, marker: "Marker", todo: list[Piece], deadline: float) -> None:
        self.marker, self.todo, self.deadline = marker, todo, deadline
        self.cell: Cell | None = None
        self.left_out: set[int] = set()
        self.replaced: list[str] = []
        self.trouble: dict[str, Raised] = {}  # by exercise: what its cell raised
        self.endings: list[str] = []
        self.late = False
        self.walls: tuple[str, ...] = ()
        self.words = set(re.findall(r"\w+", "\n".join(piece.source for piece in todo)))

    def open(self) -> None:
        """A cell in which all pieces but those left out have run. Gone where too many end it or time is over."""
        while True:
            self.cell = self.marker.fresh_cell()
            self.cell.ask(self.marker.opening(self.words), 60.0)
            self.walls = self.cell.walls
            piece = None
            try:
                for piece in self.todo:
                    if piece.number not in self.left_out:
                        self._run(piece)
                for name in self.replaced:
                    self._replace(name)
                return
            except Gone as gone:
                self.ended(gone, piece, f"cell {piece.number}")

    def _run(self, piece: Piece) -> None:
        if time.monotonic() > self.deadline:
            raise Gone("the time for a submission was over", late=True)
        reply = self.cell.ask({"run": piece.source, "number": piece.number, "names": piece.names}, self.marker.call_seconds + MORE)
        for name in piece.names:
            self.trouble.pop(name, None)
            if "raised" in reply:
                self.trouble[name] = Raised(replies.text(reply["raised"], 300), replies.line(reply.get("line")), replies.text(reply.get("code"), 200))

    def ended(self, gone: Gone, piece: Piece | None, where: str) -> None:
        """Note why a cell ended, leave out the piece that did it, and give up after too many."""
        self.close()
        self.endings.append(f"{where}: {gone}")
        self.late = self.late or gone.late
        if piece is not None:
            self.left_out.add(piece.number)
        if len(self.endings) >= _ENDINGS or time.monotonic() > self.deadline or piece is None:
            raise gone

    @contextlib.contextmanager
    def mending(self) -> Iterator[None]:
        """Go on after a cell that ends here, with a new one where one is wanted again."""
        try:
            yield
        except Gone:
            self.close()

    def replace(self, name: str) -> None:
        """From now on the solution answers for an exercise that others may call by name."""
        self.replaced.append(name)
        if self.cell is not None:
            self._replace(name)

    def _replace(self, name: str) -> None:
        self.cell.ask({"replace": name, "source": catalog.exercise(name).stub.solved}, 10.0)

    def close(self) -> None:
        """End the cell, if there is one."""
        if self.cell is not None:
            self.cell.close()
            self.cell = None


class Marker:
    """The marks of one assignment, submission after submission."""

    def __init__(self, folder: Path, walls: str = "auto", seconds: float = CALL) -> None:
        self.assignment: Assignment = load(folder)
        self.walls, self.call_seconds = walls, seconds
        self.chapter = catalog.chapter(self.assignment.chapter)
        for item in self.assignment.items:
            self._known_here(item)
        order = list(self.chapter.exercises)
        self.items: list[Item] = sorted(self.assignment.items, key=lambda item: order.index(item.name))
        self.assigned = {item.name: self.chapter.exercises[item.name] for item in self.items}
        before = {name for e in self.assigned.values() for name in (*e.earlier, *e.needs)} - self.assigned.keys()
        self.before = {name: e for name, e in self.chapter.exercises.items() if name in before}
        self.imports = celltree.imports(self.chapter)
        self.handout = workspace.read(self.assignment.handout) if self.assignment.handout.is_file() else None
        self.known = {_text(cell["source"]) for cell in self.handout["cells"] if cell["cell_type"] == "code"} if self.handout else set()
        self.temporary = Path(os.path.realpath(tempfile.mkdtemp(prefix="marker-")))
        allowed = {pair for e in (*self.assigned.values(), *self.before.values()) for pair in _allows(e)}
        celltree.build(Path(book_utils.__file__).parent, self.chapter, allowed, self.temporary / "tree")
        self.later = {f"{e.function}, which comes later," for e in self.chapter.exercises.values()}
        self.kernels = {f"{path.stem}.{name}" for path in Path(book_utils.__file__).parent.glob("*.py")
                        for name in re.findall(r"^(?:def|class) (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)}
        self.spare: Cell | None = None
        self.hidden: list[Path] = [self.assignment.folder.resolve()]

    def _known_here(self, item: Item) -> None:
        """CourseError unless an item is an exercise of the frozen chapter, with its laws and a convention that it has."""
        exercise = self.chapter.exercises.get(item.name)
        if exercise is None:
            raise CourseError(f"assignment.json asks for {item.name!r}, which is no exercise of {self.assignment.chapter}.")
        if wrong := item.weights.keys() ^ {law.name for law in exercise.laws}:
            said = "gives no weight to" if min(wrong) not in item.weights else "gives weight to what is no law:"
            raise CourseError(f"assignment.json, {item.name}: it {said} {min(wrong)!r}.")
        if item.variant and item.variant not in exercise.variants:
            raise CourseError(f"assignment.json asks for {item.name} in the variant {item.variant!r}, which it does not have.")

    # Cells

    def fresh_cell(self) -> Cell:
        """A cell that stands ready. The next one is started meanwhile, where walls keep the two apart."""
        for _ in range(3):
            cell, self.spare = self.spare or self._cell(), None
            try:
                cell.ready()
            except Gone as gone:
                cell.close()
                trouble = gone
                continue
            if {"namespaces", "seccomp"} <= set(cell.walls):
                self.spare = self._cell()
            return cell
        raise CourseError(f"No process for students' code can be started here: {trouble}.")

    def _cell(self) -> Cell:
        return Cell(self.temporary / "tree", self.hidden, self.walls)

    def opening(self, words: set[str]) -> dict:
        """The first request to a cell: the exercises that the text of a submission can reach, and the imports that it names."""
        given, queue = set(), set(words)
        for item in self.items:  # one that fails is replaced by its solution, which may lean on others
            queue |= set(re.findall(r"\w+", self.assigned[item.name].stub.solved))
        grown = True
        while grown:
            grown = False
            for name, exercise in self.before.items():
                if name not in given and exercise.function in queue:
                    given.add(name)
                    queue |= set(re.findall(r"\w+", exercise.stub.solved))
                    grown = True
        answers = [_facts(e, "") for e in self.assigned.values()] + [_facts(e, e.stub.solved) for n, e in self.before.items() if n in given]
        always = {"jax", "jnp", "np"}
        return {"begin": answers, "imports": [text for text, names in self.imports if names & (queue | always)], "seconds": self.call_seconds}

    def refused(self, said: str) -> str:
        """What an exercise may not use, as a cell says; only what there is can be said to a student."""
        kernel = ".".join(said.split(".")[:2])
        return said if said in self.later else kernel if kernel in self.kernels else "a function of the package"

    # Marks

    def mark(self, path: Path) -> Marked:
        """What the submission in the file `path` earned."""
        start = time.monotonic()
        try:
            notebook = read(path)
            todo = pieces(notebook, self.known, set(self.assigned))
        except Refusal as refusal:
            said = str(refusal)
            return Marked(marks.UNREADABLE, f"{said[0].upper()}{said[1:]}.", tuple(self._nothing(item, "FAILS") for item in self.assignment.items))
        bench = Bench(self, todo, start + WHOLE)
        given, gone = [], None
        try:
            bench.open()
            for item in self.items:
                given.append(self._mark(item, bench))
        except Gone as error:
            gone = error
        finally:
            bench.close()
        given = self._explained(given, bench)
        for item in self.items[len(given):]:
            given.append(self._nothing(item, "FAILS", "Its process ended before this exercise could be marked."))
        status, reason = marks.GRADED, ""
        if bench.endings or gone:
            status = marks.TIMED_OUT if bench.late or gone and gone.late else marks.ENDED
            reason = "The process of the student's code ended; what ended it counts as not answered. " + "; ".join(bench.endings or [str(gone)]) + "."
        texts = written.answers(notebook, self.handout) if self.handout and self.assignment.questions else {}
        seconds = round(time.monotonic() - start, 2)
        in_order = {mark.name: mark for mark in given}
        return Marked(status, reason, tuple(in_order[item.name] for item in self.assignment.items), texts, seconds, bench.walls)

    def _nothing(self, item: Item, status: str, text: str = "") -> Mark:
        laws = tuple(Held(law.name, False) for law in self.assigned[item.name].laws)
        return Mark(item.name, status, 0.0, item.points, laws, text)

    def _mark(self, item: Item, bench: Bench) -> Mark:
        exercise = self.assigned[item.name]
        piece = next((piece for piece in bench.todo if item.name in piece.names), None)
        if piece is None:
            found = Found(status="NOT STARTED", text=f"NOT STARTED  {item.name}: there is no cell for it.")
        elif piece.number in bench.left_out:
            found = Found(status="RAISES", text=f"RAISES  {item.name}: its cell, or one that was run with it, ended the process.")
        else:
            try:
                found = self._find(item, exercise, bench)
            except Gone as gone:
                found = Found(status="RAISES", text=f"RAISES  {item.name}: a call ended the process or did not return ({gone}).")
                bench.replaced.append(item.name)
                bench.ended(gone, piece, item.name)
                bench.open()
        weight = sum(w for law, w in item.weights.items() if law in found.held)
        share = weight / sum(item.weights.values()) if set(item.gates) <= found.held else 0.0
        if any(w and law not in found.held for law, w in item.weights.items()) and item.name not in bench.replaced:
            bench.replace(item.name)
        laws = tuple(Held(law.name, law.name in found.held) for law in exercise.laws)
        return Mark(item.name, found.status, round(item.points * share, 2), item.points, laws, found.text)

    def _find(self, item: Item, exercise: Exercise, bench: Bench) -> Found:
        """Test every law on the rounds of secret inputs."""
        try:
            held = self._held(item, exercise, self._transport(item, exercise, bench))
        except guard.Todo:
            if raised := bench.trouble.get(item.name):
                where = f"your line {raised.line}: {raised.code} - " if raised.line else ""
                return Found(status="RAISES", text=f"RAISES  {item.name}, {where}{raised.text}.")
            return Found(status="NOT STARTED", text=f"NOT STARTED  {item.name}, {exercise.title}.")
        except guard.Refused as refused:
            return Found(text=f"FAILS  {item.name}: You may not use {refused} here: this exercise is about writing it yourself.")
        except guard.TooLong:
            return Found(text=f"FAILS  {item.name}: A call did not return in time. Is there a loop without end?")
        total = len(exercise.laws)
        if len(held) == total:
            return Found(held, "HOLDS", f"HOLDS  {item.name}: {total} of {total} laws.")
        return Found(held)

    def _transport(self, item: Item, exercise: Exercise, bench: Bench) -> Transport:
        """The way to the answer of an exercise, in the convention that it is asked in."""
        source = next(piece.source for piece in bench.todo if item.name in piece.names)
        across = Across(item.name, source, bench, min(time.monotonic() + EXERCISE, bench.deadline))
        transport: Transport = exercise.variants[item.variant].transport(across) if item.variant else across
        return _Chain(exercise, transport) if exercise.kind == "derivation" else transport

    def _held(self, item: Item, exercise: Exercise, transport: Transport) -> set[str]:
        """Names of the laws that hold on every round."""
        held = [law for law in exercise.laws]
        for number in range(ROUNDS):
            seed = self.assignment.seed(item.name, number)
            held = [law for law in held if _holds(law, Proxy(exercise, transport), generator(exercise, law, seed))]
        return {law.name for law in held}

    def _explained(self, given: list[Mark], bench: Bench) -> list[Mark]:
        """The marks, with a sentence for the student wherever a law does not hold: on inputs that everybody can see.

        In cells of their own: what has seen secret inputs says nothing to a student, or it could say them.
        """
        again = Bench(self, bench.todo, bench.deadline)
        again.left_out, told = set(bench.left_out), []
        with contextlib.closing(again):
            for mark in given:
                told.append(self._said(mark, again) if mark.status == "FAILS" and not mark.text else mark)
                if mark.name in bench.replaced:
                    with again.mending():
                        again.replace(mark.name)
        return told

    def _said(self, mark: Mark, bench: Bench) -> Mark:
        """The verdict as the notebook gives it; or that it takes other inputs to see the fault."""
        exercise, item = self.assigned[mark.name], next(item for item in self.items if item.name == mark.name)
        failing = [law.law for law in mark.laws if not law.held]
        held = f"{len(mark.laws) - len(failing)} of {len(mark.laws)} laws hold"
        other = f'FAILS  {mark.name}: {held}. First that does not: "{failing[0]}", on inputs other than the notebook\'s.'
        mark = dataclasses.replace(mark, text=other)
        with bench.mending():
            if bench.cell is None:
                bench.open()
            with contextlib.suppress(Exception, guard.Todo, guard.Refused, guard.TooLong):
                verdict = judge(exercise, self._transport(item, exercise, bench), 0)
                if verdict.status != "HOLDS":
                    mark = dataclasses.replace(mark, status=verdict.status, text=replies.text(verdict.text, 1000))
                if mistake := verdict.mistake:
                    mark = dataclasses.replace(mark, mistake=mistake.title, hint=exercise.hinted(mistake.hint, item.variant))
        return mark

    def close(self) -> None:
        if self.spare is not None:
            self.spare.close()
        shutil.rmtree(self.temporary, ignore_errors=True)


class _Chain:
    """The transport of a derivation: the lines that came are those that stand in the text, each on its own."""

    def __init__(self, exercise: Exercise, inner: Transport) -> None:
        self.exercise, self.inner, self.source = exercise, inner, inner.source

    @property
    def printed(self) -> str:
        return self.inner.printed

    def call(self, mode: str, args: tuple, options: dict) -> object:
        lines = self.inner.call(mode, args, options)
        if not isinstance(lines, tuple):
            raise Raised("a chain is a generator of lines")
        function = next((n for n in ast.parse(self.source).body if isinstance(n, ast.FunctionDef) and n.name == self.exercise.function), None)
        if function is None:
            raise Raised(f"the chain is a function called {self.exercise.function}")
        standing = [n for n in function.body if isinstance(n, ast.Expr) and isinstance(n.value, ast.Yield)]
        if not len(standing) == len(lines_of(self.source, self.exercise.function)) == len(lines):
            raise Broken("every line of the chain is one `yield` that stands by itself in the function", inputs=False)
        return lines


def _holds(law: object, proxy: Proxy, rng: object) -> bool:
    """Whether a law holds; whatever a law raises over a student's result means that it does not."""
    try:
        with guard.time_limit(EXERCISE):
            law(proxy, rng)
        return True
    except Exception:
        return False


def _allows(exercise: Exercise) -> Iterator[tuple[str, str]]:
    for function in exercise.allows:
        yield function.__module__.rpartition(".")[2], function.__name__


def _facts(exercise: Exercise, source: str) -> dict:
    return {"name": exercise.name, "function": exercise.function, "kind": exercise.kind, "may": [*exercise.earlier, *exercise.needs],
            "allows": [list(pair) for pair in _allows(exercise)], "source": source}


def read(path: Path) -> dict:
    """The notebook in a file; Refusal with what is wrong with it."""
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise Refusal("it is no file")
        if facts.st_size > SIZE:
            raise Refusal(f"it has {facts.st_size >> 20} MB; {SIZE >> 20} MB is the most that is read")
        with path.open("rb") as file:
            return workspace.parsed(file.read(SIZE + 1), path)
    except OSError as error:
        raise Refusal(f"it cannot be read: {error.strerror}") from None
    except (CourseError, RecursionError, MemoryError):
        raise Refusal("it is not a notebook that can be read") from None


def main() -> None:
    """Answer lines until there are no more."""
    folder, walls, seconds = sys.argv[1:4]
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # nothing but answers goes there
    try:
        marker = Marker(Path(folder), walls, float(seconds))
    except CourseError as error:
        print(json.dumps({"trouble": str(error)}), file=channel, flush=True)
        return
    print(json.dumps({"ready": True}), file=channel, flush=True)
    try:
        for line in sys.stdin:
            path = Path(json.loads(line)["path"])
            marker.hidden = [marker.assignment.folder.resolve(), path.resolve().parent]
            try:
                print(marks.dumps(marker.mark(path)), file=channel, flush=True)
            except CourseError as error:
                print(json.dumps({"trouble": str(error)}), file=channel, flush=True)
    finally:
        marker.close()


if __name__ == "__main__":
    main()
