"""k, l and t of a table by their definitions: Python loops and fractions, nothing of the package."""

from collections import Counter, defaultdict
from fractions import Fraction
from math import exp, inf, log

COVER = "*"


def classes(rows, quasi):
    """The rows of each class, without those that are covered in every quasi-identifier."""
    found = defaultdict(list)
    for row in rows:
        key = tuple(row[position] for position in quasi)
        if any(cell != COVER for cell in key):
            found[key].append(row)
    return list(found.values())


def k_of(rows, quasi):
    return min((len(one) for one in classes(rows, quasi)), default=len(rows))


def distinct_l(rows, quasi, sensitive):
    return min((len({row[sensitive] for row in one}) for one in classes(rows, quasi)), default=inf)


def entropy_l(rows, quasi, sensitive):
    worst = inf
    for one in classes(rows, quasi):
        counts = Counter(row[sensitive] for row in one).values()
        worst = min(worst, exp(-sum(count / len(one) * log(count / len(one)) for count in counts)))
    return worst


def recursive_l(rows, quasi, sensitive, c):
    worst = inf
    for one in classes(rows, quasi):
        counts = sorted(Counter(row[sensitive] for row in one).values(), reverse=True)
        places = range(1, len(counts) + 1)
        worst = min(worst, max((place for place in places if counts[0] < c * sum(counts[place - 1 :])), default=0))
    return worst


def t_of(rows, quasi, sensitive, *, ordered):
    """The largest earth mover's distance of a class, with null before all other values."""
    found = classes(rows, quasi)
    kept = [row for one in found for row in one]
    values = sorted(
        {row[sensitive] for row in kept}, key=lambda cell: (cell is not None, cell if cell is not None else 0)
    )
    whole, worst = Counter(row[sensitive] for row in kept), Fraction(0)
    for one in found:
        own = Counter(row[sensitive] for row in one)
        gaps = [Fraction(own[value], len(one)) - Fraction(whole[value], len(kept)) for value in values]
        if ordered:
            moved = sum(abs(sum(gaps[: place + 1])) for place in range(len(gaps)))
            distance = moved / (len(values) - 1) if len(values) > 1 else Fraction(0)
        else:
            distance = sum(map(abs, gaps)) / 2
        worst = max(worst, distance)
    return float(worst)
