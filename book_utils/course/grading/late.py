"""How late a submission is, and what that costs."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from book_utils.course.grading.assignment import Assignment


@dataclass(frozen=True)
class Extension:
    """More time for one student: until a moment, or a number of days from the due date."""

    until: datetime | None = None
    days: float = 0.0


NONE = Extension()


def due(assignment: Assignment) -> datetime | None:
    """When it is due, for those without an extension; None for no date."""
    return datetime.fromisoformat(assignment.due) if assignment.due else None


def days_late(assignment: Assignment, submitted: datetime | None, flagged: bool, extension: Extension = NONE) -> int:
    """Days begun after the date, grace taken off.

    Where the time is not known, the word of the file's name counts: `_LATE_` is one day, and an extension forgives it.
    """
    date = due(assignment)
    if submitted is None or date is None:
        more = extension.days or (extension.until is not None and (date is None or extension.until > date))
        return int(flagged and not more)
    until = max(date, extension.until or date) + timedelta(days=extension.days)
    if submitted - until <= timedelta(minutes=assignment.late.grace_minutes):
        return 0
    return math.ceil((submitted - until) / timedelta(days=1))


def penalty(assignment: Assignment, days: float, earned: float) -> float:
    """Points that being so many days late takes: never more than what was earned, and all of it after the last day."""
    if days > assignment.late.days:
        return earned
    return round(min(earned, days * assignment.late.per_day * assignment.points), 2)
