"""Marks: an assignment made of the course's exercises, the walls around a student's code, and what comes out of them as a gradebook.

Three processes take part. The *command* (`book grade`, whatever version is installed) reads folders and writes gradebooks. A *marker* runs
the checks that were frozen with the assignment, draws inputs from its secret and compares results. A *cell* is the only place where a
student's code runs: one for every submission, behind walls, with plain values alone going in and out.

    assign.py       `book assign`; with handout.py (the notebook), weights.py (what each law counts) and freeze.py (the checks, kept)
    assignment.py   what an assignment is, written to and read from its folder
    marks.py        what one submission earned, exercise by exercise and law by law
    written.py      written answers, without names, and the marks that come back

    marking.py      the command's side of a marker
    marker.py       the marker
    sandbox.py      the marker's side of a cell; replies.py reads what comes out of one, celltree.py lays out what it may import
    cell.py         the cell; walls.py shuts it in

    grade.py        `book grade`; with pool.py (side by side, resumable) and regrade.py (`book regrade`)
    submissions.py  what was handed in, and by whom
    rosters.py      the gradebooks of Canvas and Moodle; tables.py the instructor's decisions; late.py days and penalties
    gradebook.py    marks, decisions and days as one row a student
    feedback.py     a page for every student; report.py one for the instructor; pages.py what they share
    exports/        `book package`: Gradescope, nbgrader, otter
"""
