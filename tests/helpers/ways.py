"""A way for `benchmarks.sides`, whose processes must find it by its name."""


def to(value, lap):
    lap("imports")
    lap("work")
    return {"hr@1": value}
