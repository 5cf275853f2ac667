"""Marks: an assignment made of the course's exercises, the walls around a student's code, and what comes out of them as a gradebook.

    assignment.py   what an assignment is, written to and read from its folder
    marks.py        what one submission earned, exercise by exercise and law by law

Three processes take part. The *command* (`book grade`, whatever version is installed) reads folders and writes gradebooks. A *marker*
(`marking.py`) runs the checks that were frozen with the assignment, draws inputs from its secret and compares results. A *cell*
(`sandbox.py`) is the only place where a student's code runs: one for every submission, behind walls, with plain values alone going in and out.
"""
