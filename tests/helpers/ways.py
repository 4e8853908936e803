"""A function for `benchmarks.sides`, whose processes must be able to import it."""


def to(value, lap):
    lap("imports")
    lap("work")
    return {"hr@1": value}
