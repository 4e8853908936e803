"""Picard's filter and script language: a small one of our own, held to the real one if it is there.

Rules: https://picard-docs.musicbrainz.org, and picard/script, picard/track.py of Picard 3.0.
"""

import fnmatch
import json
import os
import re
import subprocess

import decided
from hypothesis import given, settings

from tagjax.reconcile import names, picard
from tagjax.reconcile.decisions import Decisions
from tagjax.vocabulary.vocabulary import Vocabulary

REAL = """
import json, sys
import picard.extension_points
from picard.metadata import Metadata
from picard.script import ScriptParser
from picard.track import TagGenreFilter

picard.extension_points.get_config = lambda: None
answers = []
for job in json.load(sys.stdin):
    genre_filter, answer = TagGenreFilter(job["filter"]), []
    assert not genre_filter.errors
    for genres in job["genres"]:
        tags = Metadata()
        tags["genre"] = [genre for genre in genres if not genre_filter.skip(genre)]
        tags["albumartist"] = job.get("albumartist", "")
        ScriptParser().eval(job["script"], tags)
        answer.append(tags.getall("genre"))
    answers.append(answer)
print(json.dumps(answers))
"""


class Script:
    """The part of Picard's script language that we write."""

    def __init__(self, text, tags):
        self.text, self.place, self.tags = text, 0, tags

    def run(self):
        while self.place < len(self.text):
            self.evaluated(self.expression(top=True))

    def expression(self, top=False):
        parts = []
        while self.place < len(self.text):
            sign = self.text[self.place]
            if not top and sign in ",)":
                break
            assert top or sign != "("
            self.place += 1
            if sign == "$":
                name = re.compile(r"\w+").match(self.text, self.place)[0]
                self.place += len(name) + 1
                arguments = [self.expression()]
                while self.text[self.place] == ",":
                    self.place += 1
                    arguments.append(self.expression())
                assert self.text[self.place] == ")"
                self.place += 1
                parts.append((name, arguments))
            elif sign == "%":
                end = self.text.index("%", self.place)
                parts.append(("get", [[self.text[self.place : end]]]))
                self.place = end + 1
            elif sign == "\\":
                assert self.text[self.place] in "\\$%(),"
                parts.append(self.text[self.place])
                self.place += 1
            else:
                parts.append(sign)
        return parts

    def evaluated(self, parts):
        return "".join(p if isinstance(p, str) else self.function(*p) for p in parts)

    def function(self, name, arguments):
        if name == "map":
            done = []
            for value in self.values(arguments[0]):
                self.tags["_loop_value"] = [value]
                done.append(self.evaluated(arguments[1]))
            return "; ".join(filter(None, done))
        if name == "if":
            return self.evaluated(arguments[1 if self.evaluated(arguments[0]) else 2])
        if name == "unique":
            return "; ".join(sorted({v.lower(): v for v in self.values(arguments[0])}.values()))
        first, *rest = map(self.evaluated, arguments)
        if name == "setmulti":
            self.tags[first] = [value for value in rest[0].split("; ") if value]
            return ""
        return {
            "get": lambda: "; ".join(self.tags.get(first, [])),
            "lower": lambda: first.lower(),
            "eq": lambda: "1" * (first == rest[0]),
            "or": lambda: "1" * (len(rest) > 0 and any([first, *rest])),
            "and": lambda: "1" * (len(rest) > 0 and all([first, *rest])),
            "if2": lambda: next(filter(None, [first, *rest]), ""),
            "noop": lambda: "",
        }[name]()

    def values(self, parts):
        if len(parts) == 1 and parts[0][0] == "get":
            return self.tags.get(parts[0][1][0][0], [])
        return self.evaluated(parts).split("; ")


def is_dropped(lines, genre):
    """Whether a filter of `-` lines drops a genre."""
    for line in lines.splitlines():
        if line[:1] == "-":
            pattern = re.sub(r"\\([*?\[\]])", r"[\1]", line[1:]).replace("\\\\", "\\")
            if fnmatch.fnmatchcase(genre.lower(), pattern.lower()):
                return True
    return False


def ours(job):
    answers = []
    for genres in job["genres"]:
        tags = {
            "genre": [genre for genre in genres if not is_dropped(job["filter"], genre)],
            "albumartist": [job.get("albumartist", "")],
        }
        Script(job["script"], tags).run()
        answers.append(tags["genre"])
    return answers


def real(jobs):
    python = decided.python_of("TAGJAX_PICARD", "picard")
    done = subprocess.run(
        [python, "-c", REAL],
        input=json.dumps(jobs),
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def job(made, genres, **more):
    files = made.files
    return {
        "filter": files["genre_filter.txt"],
        "script": files["tagger_script.txt"],
        "genres": genres,
        **more,
    }


LIBRARY = job(
    picard.export(decided.library()),
    [*([tag] for tag in decided.library().canonical), ["DNB", "rock", "Drum & Bass", "New Genre"]],
)


def expected_of_library():
    decisions = decided.library()
    kept = [
        [] if to in decisions.blocked else [decisions.name_of(tag)]
        for tag, to in decisions.canonical.items()
    ]
    return [*kept, ["Drum & Bass", "New Genre", "Rock"]]


def any_jobs(count=100):
    jobs, wanted = [], []

    @settings(max_examples=count, database=None, derandomize=True)
    @given(decided.decisions())
    def make(decisions):
        made, genres = picard.export(decisions), names.genres(decisions)
        tags = [tag for tag in decisions.canonical if "; " not in tag]
        jobs.append(job(made, [[tag] for tag in tags]))
        kept = []
        for tag in tags:
            to = genres.shown.get(genres.target[tag.lower()], tag)
            kept.append([] if tag.lower() in genres.blocked else [tag if "; " in to else to])
        wanted.append(kept)

    make()
    return jobs, wanted


def test_every_tag_of_a_library():
    assert ours(LIBRARY) == expected_of_library()


def test_every_tag_of_a_library_in_the_real_picard():
    assert real([LIBRARY]) == [expected_of_library()]


def test_any_decisions():
    jobs, wanted = any_jobs()
    assert [ours(one) for one in jobs] == wanted


def test_any_decisions_in_the_real_picard():
    jobs, wanted = any_jobs()
    assert real(jobs) == wanted


def senses():
    made = picard.export(decided.library("a:"), artists=True)
    genres = [["Hardcore", "Rock"]]
    artists = ["Minor Threat", "Rotterdam Terror Corps", "Airbourne"]
    wanted = [[["Hardcore (Punk)", "Rock"]], [["Hardcore (Techno)", "Rock"]], genres]
    return [job(made, genres, albumartist=artist) for artist in artists], wanted


def test_two_senses_by_artist():
    jobs, wanted = senses()
    assert [ours(one) for one in jobs] == wanted


def test_two_senses_by_artist_in_the_real_picard():
    jobs, wanted = senses()
    assert real(jobs) == wanted


def test_a_thousand_genres_are_not_nested():
    tags = [f"g{k}" for k in range(1000)]
    vocabulary = Vocabulary.of(tags)
    decisions = Decisions(vocabulary, {}, {}, (), dict.fromkeys(tags, "g0"), {})
    assert ours(job(picard.export(decisions), [["g999", "G7", "x"]])) == [["g0", "x"]]


def test_names_that_scripts_split_are_said():
    tags = Vocabulary.of(["a; b", "c"])
    made = picard.export(Decisions(tags, {}, {}, (), {"a; b": "c", "c": "c"}, {}))
    assert made.notes == ("'a; b' holds '; ', at which Picard's scripts split",)
