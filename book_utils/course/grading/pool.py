"""Marking many submissions side by side, and remembering every mark at once, so that a run that was killed goes on where it was."""

import contextlib
import dataclasses
import hashlib
import json
import queue
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Protocol

from book_utils.course.errors import CourseError
from book_utils.course.grading import assignment as assignments
from book_utils.course.grading import marks
from book_utils.course.grading.assignment import Assignment, Late
from book_utils.course.grading.marks import Mark, Marked
from book_utils.course.grading.submissions import Collection, Submission


class Marking(Protocol):
    """What marks one submission after another, in a process of its own."""

    def mark(self, path: Path) -> Marked: ...

    def close(self) -> None: ...


class Memory:
    """Marks by what they depend on: the bytes of the submission, and of the assignment all that marking reads. One line each, in a file,
    with a checksum: a damaged line is forgotten.

    Marks of a status in `doubted` are not believed: whoever was stopped on a busy machine may be marked once more.
    """

    def __init__(self, path: Path, assignment: Assignment, doubted: Iterable[str] = ()) -> None:
        self.path = path
        read_by_marking = dataclasses.replace(assignment, title="", due="", late=Late())
        self._assignment = hashlib.sha256(assignments.dumps(read_by_marking).encode()).hexdigest()
        self._known: dict[str, Marked] = {}
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True) if path.exists() else []
        whole = [line for line in lines if self._remember(line)]
        if whole != lines:  # the last run was killed while it wrote, or the disk has failed
            replace(path, "".join(whole))
        self._known = {key: marked for key, marked in self._known.items() if marked.status not in doubted}

    def _remember(self, line: str) -> bool:
        try:
            key, text, proof = json.loads(line)
            if proof != self._proof(key, text):
                return False
            self._known[key] = marks.loads(text)
        except (ValueError, TypeError):
            return False
        return line.endswith("\n")

    def get(self, submission: Submission) -> Marked | None:
        """What a submission with these bytes earned before."""
        return self._known.get(self._key(submission))

    def put(self, submission: Submission, marked: Marked) -> None:
        """Remember, on disk, now."""
        self._known[self._key(submission)] = marked
        key, text = self._key(submission), marks.dumps(marked)
        with self.path.open("a", encoding="utf-8", errors="replace", newline="\n") as file:
            file.write(json.dumps([key, text, self._proof(key, text)]) + "\n")

    @staticmethod
    def _proof(key: str, text: str) -> str:
        return hashlib.sha256(f"{key}|{text}".encode(errors="replace")).hexdigest()[:16]

    def _key(self, submission: Submission) -> str:
        return hashlib.sha256(f"{self._assignment}|{submission.digest}".encode()).hexdigest()


def mark(assignment: Assignment, collection: Collection, wanted: Iterable[Submission], memory: Memory, open_marker: Callable[[], Marking],
         jobs: int, step: Callable[[], None] = lambda: None) -> dict[str, Marked]:
    """What every wanted submission earned, by its file; `step` is called after each. Files with the same bytes are marked once.

    A submission at which the marker itself breaks earns nothing and says so, and the next run tries it again. CourseError when
    interrupted, and where the marker cannot be started.
    """
    results: dict[str, Marked] = {}
    todo: dict[str, list[Submission]] = {}
    for submission in wanted:
        if submission.trouble:
            results[submission.file] = nothing(assignment, marks.UNREADABLE, submission.trouble)
        elif known := memory.get(submission):
            results[submission.file] = known
        else:
            todo.setdefault(submission.digest, []).append(submission)
            continue
        step()
    idle: queue.SimpleQueue[Marking] = queue.SimpleQueue()
    with contextlib.ExitStack() as opened, ThreadPoolExecutor(max(1, min(jobs, len(todo)))) as pool:
        def one(submission: Submission) -> Marked:
            try:
                marker = idle.get_nowait()
            except queue.Empty:  # fewer markers than threads so far
                marker = open_marker()
                opened.callback(marker.close)
            try:
                with collection.file(submission) as path:
                    return marker.mark(path)
            finally:
                idle.put(marker)

        running = {pool.submit(one, same[0]): same for same in todo.values()}
        try:
            for future in as_completed(running):
                same = running[future]
                try:
                    marked = future.result()
                except CourseError:
                    raise
                except Exception as error:  # ours, not the student's: everyone else is still to be marked
                    said = f"The marker itself broke at it ({type(error).__name__}); the next run tries again."
                    marked = nothing(assignment, marks.ENDED, said)
                else:
                    memory.put(same[0], marked)
                for submission in same:
                    results[submission.file] = marked
                    step()
        except BaseException as error:
            pool.shutdown(cancel_futures=True)  # waits for the few that are being marked
            for future, same in running.items():
                if future.done() and not future.cancelled() and not future.exception() and not memory.get(same[0]):
                    memory.put(same[0], future.result())
            if isinstance(error, KeyboardInterrupt):
                raise CourseError(f"Interrupted. What is marked is kept in {memory.path}: the same command goes on from there.") from None
            raise
    return results


def nothing(assignment: Assignment, status: str, reason: str) -> Marked:
    """No points for any exercise, and why."""
    return Marked(status, reason, tuple(Mark(item.name, "NOT STARTED", 0.0, item.points) for item in assignment.items))


def replace(path: Path, text: str) -> None:
    """Write a file whole or not at all: beside it, then in its place."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text, encoding="utf-8", errors="replace", newline="\n")
    fresh.replace(path)
