"""What beets reads of our files: asked of its own plugins, and of PyYAML."""

import json
import os
import subprocess
import textwrap

import decided
import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from tagjax.base.errors import InputError
from tagjax.reconcile import beets, names
from tagjax.reconcile.decisions import Decisions
from tagjax.vocabulary.vocabulary import Vocabulary

PLUGINS = """
import json, sys
from beets import config
from beets.library import Item
from beetsplug.advancedrewrite import AdvancedRewritePlugin
from beetsplug.lastgenre import LastGenrePlugin

answers = []
for job in json.load(sys.stdin):
    config.clear()
    config.read(user=False)
    config.set_file(job["config"])
    for name in ("whitelist", "canonical"):
        if name in job:
            config["lastgenre"][name] = job[name]
    plugin = LastGenrePlugin()
    answer = {"genres": [plugin._resolve_genres([name]) for name in job["names"]]}
    answer["together"] = plugin._resolve_genres(job["names"])
    if "senses" in job:
        config.set_file(job["senses"])
        rewrite = AdvancedRewritePlugin()
        rewrite.loaded()
        answer["senses"] = [
            rewrite.template_fields["genres"](Item(artist=artist, genres=["Hardcore"]))
            for artist in job["artists"]
        ]
    answers.append(answer)
print(json.dumps(answers))
"""


@pytest.fixture(scope="session")
def asked(tmp_path_factory):
    """asked([job, ...]): what the plugins of beets answer."""
    python = decided.python_of("TAGJAX_BEETS", "beets pylast pyyaml")

    def ask(jobs):
        done = subprocess.run(
            [python, "-c", PLUGINS],
            input=json.dumps(jobs),
            env={**os.environ, "BEETSDIR": str(tmp_path_factory.mktemp("beets"))},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return ask


def written(folder, decisions, **options):
    made = beets.export(decisions, folder, **options)
    names.write(folder, made)
    return made


def job(folder, tags, **more):
    return {"config": str(folder / "config.yaml"), "names": tags, **more}


def expected(tag, decisions):
    """What beets shall make of a tag without prefix, which differs from others by more than case.

    Merged ones become the canonical one, others stay, blocked ones go.
    """
    blocked = decisions.canonical[tag] in decisions.blocked
    return [] if blocked else [decisions.name_of(tag).lower()]


def test_every_tag_of_a_library_in_the_real_plugin(asked, tmp_path):
    decisions = decided.library()
    made = written(tmp_path, decisions)
    tags = list(decisions.canonical)
    whitelist = str(tmp_path / "genres.txt")
    unknown = [*tags, "Ambient, Electronic", "Never Heard"]
    answer, listed = asked([job(tmp_path, unknown), job(tmp_path, unknown, whitelist=whitelist)])
    known = [expected(tag, decisions) for tag in tags]
    assert answer["genres"] == [*known, ["ambient, electronic"], ["never heard"]]
    assert listed["genres"] == [*([] if genre == ["#hash"] else genre for genre in known), [], []]
    assert (len(answer["together"]), len(listed["together"])) == (16, 13)
    assert "'#hash' begins with #" in "".join(made.notes)
    assert "'black metal' is below 'metal' and 'rock'; beets' tree" in "".join(made.notes)


def test_the_tree_in_the_real_plugin(asked, tmp_path):
    decisions = decided.library("lib:")
    made = written(tmp_path, decisions)
    lines = made.files["config.yaml"].splitlines()
    paths = {
        name: yaml.safe_load(line.removeprefix("  # "))[name]
        for name in ("whitelist", "canonical")
        for line in lines
        if line.startswith(f"  # {name}: ")
    }
    assert len(paths) == 2
    (answer,) = asked([job(tmp_path, ["BM", "drum'N'bass", "1980", "No"], **paths)])
    assert answer["genres"] == [
        ["black metal", "metal", "rock"],
        ["drum & bass", "techno"],
        [],
        ["no"],
    ]


def test_any_decisions_in_the_real_plugin(asked, tmp_path):
    jobs, wanted = [], []

    @settings(max_examples=150, database=None, suppress_health_check=list(HealthCheck))
    @given(decided.decisions())
    def make(decisions):
        folder = tmp_path / str(len(jobs))
        written(folder, decisions)
        jobs.append(job(folder, list(decisions.canonical)))
        jobs.append(job(folder, list(decisions.canonical), whitelist=str(folder / "genres.txt")))
        lower = {}
        for tag in decisions.canonical:
            lower.setdefault(tag.lower(), set()).add(decisions.name_of(tag).lower())
        blocked = names.genres(decisions).blocked
        genres = []
        for tag in decisions.canonical:
            to = lower[tag.lower()]
            (to,) = to if len(to) == 1 and tag.lower() not in blocked else {tag.lower()}
            genres.append([] if to in blocked else [to])
        wanted.append(genres)
        wanted.append([[] if genre and genre[0][0] == "#" else genre for genre in genres])

    make()
    answers = asked(jobs)
    assert len(answers) >= 100
    for found, genres, one in zip(answers, wanted, jobs, strict=True):
        assert found["genres"] == genres, one


def test_two_senses_by_artist_in_the_real_plugin(asked, tmp_path):
    decisions = decided.library()
    artists = {
        "minor threat": ["Hardcore"],
        "air": ["Hardcore"],  # A part of another name: no rule.
        "airbourne": ["Rock"],
        "rotterdam terror corps": ["Hardcore", "Techno"],  # Would lose its Techno: no rule.
    }
    made = written(tmp_path, decisions, artists=artists)
    who = ["Minor Threat", "Air", "Airbourne", "Rotterdam Terror Corps"]
    senses = str(tmp_path / "senses.yaml")
    (answer,) = asked([job(tmp_path, ["Hardcore (Punk)", "HARDCORE"], senses=senses, artists=who)])
    assert answer["genres"] == [["hardcore (punk)"], ["hardcore"]]
    assert answer["senses"] == [["Hardcore (Punk)"], *3 * [["Hardcore"]]]
    assert "of its 3 artists, 2 cannot be told apart" in "".join(made.notes)


def test_their_aliases_below_ours(asked, tmp_path):
    decisions = decided.library()
    made = written(tmp_path, decisions)
    lines = made.files["config.yaml"].splitlines()
    begin = next(k for k, line in enumerate(lines) if line.strip("# ").startswith("python -c"))
    end = next(k for k, line in enumerate(lines) if "with_theirs.yaml" in line)
    script = textwrap.dedent("\n".join(line[1:] for line in lines[begin : end + 1]))
    python = os.environ["TAGJAX_BEETS"]
    assert script.startswith("python -c")
    script = script.replace("python -c", f"{python} -c", 1)
    subprocess.run(["bash", "-ec", script], cwd=tmp_path, check=True)
    tags = list(decisions.canonical)
    merged = job(tmp_path, [*tags, "post punk"])
    merged["config"] = str(tmp_path / "with_theirs.yaml")
    (answer,) = asked([merged])
    # Theirs makes "punk rock" of "punk", but ours stays; and ours does not know post-punk.
    assert answer["genres"] == [*(expected(tag, decisions) for tag in tags), ["post-punk"]]
    aliases = yaml.safe_load((tmp_path / "with_theirs.yaml").read_text())["lastgenre"]["aliases"]
    assert "shoegaze" in aliases


@settings(max_examples=100, database=None)
@given(decided.decisions())
def test_yaml_reads_back_what_was_decided(decisions):
    made = beets.export(decisions, "/music; it's # odd")
    genres = names.genres(decisions)
    config = yaml.safe_load(made.files["config.yaml"])["lastgenre"]
    assert (config["whitelist"], config["canonical"]) == (False, False)
    paths = yaml.safe_load(made.files["config.yaml"].replace("  # canonical", "  canonical"))
    assert paths["lastgenre"]["canonical"] == "/music; it's # odd/genres-tree.yaml"
    keys = {key.replace("\\\\", "\\") for key in config["aliases"]}
    senses = (names.sense_names(decisions, one) for one in decisions.senses)
    assert keys == {*genres.shown, *(name.lower() for pair in senses for name in pair)}

    found = {}

    def walk(node, above):
        for part in node:
            ((name, below),) = part.items() if isinstance(part, dict) else [(part, [])]
            assert isinstance(name, str)
            assert name not in found
            found[name] = above
            walk(below, name)

    walk(yaml.safe_load(made.files["genres-tree.yaml"]), None)
    kept = genres.shown.keys() - genres.blocked.keys()
    assert found == {name: genres.parent.get(name) for name in kept}


def test_what_cannot_be_told_apart_is_said_and_left():
    tags = Vocabulary.of(["Punk", "punk", "Punk Rock", "Dub", "dub"])
    canonical = {"Punk": "Punk Rock", "punk": "punk", "Punk Rock": "Punk Rock", "Dub": "Dub"}
    genres = names.genres(Decisions(tags, {}, {}, (), canonical | {"dub": "Dub"}, {}))
    assert genres.target == {"punk": "punk", "punk rock": "punk rock", "dub": "dub"}
    assert genres.shown["dub"] == "Dub"
    assert genres.notes == (
        "'Punk' and 'punk' differ in case alone and stand for different genres: neither is "
        "replaced",
    )


def test_a_blocked_parent_gives_its_place_to_its_own():
    tags = Vocabulary.of(["Rock", "Live", "Grunge"])
    same = {tag: tag for tag in tags.tags}
    parents = {"Grunge": ("Live",), "Live": ("Rock",)}
    genres = names.genres(Decisions(tags, {}, {}, (), same, parents, blocked={"Live": "a use"}))
    assert (genres.parent, genres.blocked) == ({"grunge": "rock"}, {"live": "a use"})


def test_one_system_of_several():
    tags = Vocabulary.of(["a:dub", "b:ska"], ["a:", "b:"])
    decisions = Decisions(tags, {}, {}, (), {tag: tag for tag in tags.tags}, {})
    assert beets.export(decisions, "x", "b:").files["genres.txt"] == "ska\n"
    with pytest.raises(InputError, match="several tag systems: choose one of 'a:', 'b:'"):
        beets.export(decisions, "x")
    with pytest.raises(InputError, match="no tag system 'c:'"):
        beets.export(decisions, "x", "c:")


def test_players_that_split_are_named():
    (slash, comma) = names.split_warnings(
        Decisions(
            Vocabulary.of(["a:Funk / Soul", "a:Folk, World, & Country", "a:x;y", "a:Dub"], ["a:"]),
            *({}, {}, ()),
            canonical={
                "a:Funk / Soul": "a:Funk / Soul",
                "a:Folk, World, & Country": "a:Folk, World, & Country",
                "a:x;y": "a:Dub",
                "a:Dub": "a:Dub",
            },
            parents={},
        )
    )
    assert slash.startswith("1 genre holds '/' ('Funk / Soul'): Navidrome splits it, and so does J")
    assert comma.startswith("1 genre holds ',' ('Folk, World, & Country'): Navidrome splits it")
