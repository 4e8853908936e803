"""Decisions from evidence, spelling, annotations and people."""

import dataclasses

import numpy as np
import pytest
import scipy.sparse

from tagjax import Catalogue
from tagjax.base.errors import InputError
from tagjax.evidence.weigh import COLUMNS
from tagjax.reconcile.config import ReconcileConfig
from tagjax.reconcile.decide import decide
from tagjax.reconcile.decisions import MACHINE, RELATIONS, STATES, TwoSenses
from tagjax.reconcile.facts import Facts, gather_facts
from tagjax.reconcile.people import People, Said
from tagjax.vocabulary.taxonomy import Taxonomy
from tagjax.vocabulary.vocabulary import Vocabulary

SHARES = ("same", "broad", "narrow", "related")


def evidence_row(source, target, rank=1, accepted=False, **more):
    """A row of EVIDENCE."""
    row = dict.fromkeys(COLUMNS)
    row |= {
        "source": source,
        "target": target,
        "rank": rank,
        "accepted": accepted,
        "fr": 0.8,
        "fm": 0.9,
    }
    row |= {"score": 5.0, "none": 0.05, "common_tracks": 0, "source_artists": 9}
    row |= dict.fromkeys(SHARES, 0.0) | more
    best = max(SHARES, key=lambda name: row[name])
    row["relation"] = best if row[best] >= 0.5 else "none"
    return row


def both(first, second, same=0.95, accepted=True, **more):
    """Rows of a pair in both directions."""
    return [
        evidence_row(*pair, accepted=accepted, same=same, **more)
        for pair in ((first, second), (second, first))
    ]


def facts_of(tracks, rows=(), systems=("a:", "b:"), **more):
    """Facts of {tag: tracks}; track k is by artist k."""
    vocabulary = Vocabulary.of(sorted(tracks), systems)
    cells = [(track, vocabulary.index[tag]) for tag, some in tracks.items() for track in some]
    size = 1 + max((track for track, _ in cells), default=0)
    places = np.array(cells).reshape(-1, 2).T
    tags = scipy.sparse.csr_array((np.ones(len(cells)), places), (size, len(vocabulary)))
    return Facts(vocabulary, tags, np.arange(size), rows, **more)


def check(found):
    """What holds for any decisions."""
    tags = found.vocabulary.tags
    system_of = found.vocabulary.system_of
    assert {*found.canonical} == {*tags}
    for tag, canonical in found.canonical.items():
        assert found.canonical[canonical] == canonical
        assert system_of(tag) == system_of(canonical)
    pairs = [(match.source, match.target) for match in found.matches]
    assert len({*pairs}) == len(pairs)
    exact = {}
    for match in found.matches:
        assert match.relation in RELATIONS
        assert match.state in STATES
        assert 0 <= match.confidence <= 1
        if match.state == "accepted" and match.relation == "exact":
            ends = found.canonical[match.source], found.canonical[match.target]
            key = (ends[0], system_of(ends[1]))
            assert exact.setdefault(key, ends[1]) == ends[1]
    for tag, parents in found.parents.items():
        assert found.canonical[tag] == tag
        seen, left = set(), [*parents]
        while left:
            parent = left.pop()
            assert found.canonical[parent] == parent
            assert system_of(parent) == system_of(tag)
            seen.add(parent)
            left += [far for far in found.parents.get(parent, ()) if far not in seen]
        assert tag not in seen
    divided = {sense.tag for sense in found.senses}
    for tag, canonical in found.canonical.items():
        assert tag == canonical or not {tag, canonical} & divided
    return {(match.source, match.target): match for match in found.matches}


def said(source, target, relation="exact", verdict="positive", line=5):
    return Said(source, target, relation, verdict, "Ann", f"{verdict}.sssom.tsv:{line}")


def people(*some):
    return People(tuple(some))


SPELT = {"a:Techno": range(5), "a:techno": range(5, 8), "a:TECHNO": [9], "b:dub": [10]}


def test_spellings_are_merged_without_listening():
    found = decide(facts_of(SPELT))
    matches = check(found)
    assert found.canonical["a:techno"] == found.canonical["a:TECHNO"] == "a:Techno"
    match = matches["a:techno", "a:Techno"]
    assert (match.state, match.by) == ("accepted", MACHINE)
    assert match.reasons[0].source == "spelling"
    assert match.reasons[0].measure == "case"


def test_the_sound_may_object_to_a_spelling():
    tracks = {"a:Go-Go": range(6), "a:gogo": range(6, 12)}
    rows = both("a:Go-Go", "a:gogo", same=0.01, accepted=False, score=-40.0)
    found = decide(facts_of(tracks, rows))
    match = check(found)["a:gogo", "a:Go-Go"]
    assert found.canonical["a:gogo"] == "a:gogo"
    assert match.state == "review"
    assert "sound different" in match.note
    few = {"a:Go-Go": range(6), "a:gogo": [7]}
    assert decide(facts_of(few, rows)).canonical["a:gogo"] == "a:Go-Go"
    rivals = both("a:Go-Go", "a:gogo", same=0.01, accepted=False, score=3.0)
    assert decide(facts_of(tracks, rivals)).canonical["a:gogo"] == "a:Go-Go"


def test_initials_are_put_up_for_review():
    found = decide(facts_of({"a:Drum & Bass": [1], "a:DnB": [2]}))
    assert check(found)["a:DnB", "a:Drum & Bass"].state == "review"
    assert found.canonical["a:DnB"] == "a:DnB"


TWO = {"a:rap": range(5), "b:hop": range(5, 9), "a:dub": [20, 21], "b:ska": [22, 23]}


def test_evidence_that_accepts_both_ways_is_accepted():
    matches = check(decide(facts_of(TWO, both("a:rap", "b:hop"))))
    for pair in (("a:rap", "b:hop"), ("b:hop", "a:rap")):
        assert matches[pair].state == "accepted"
        assert matches[pair].relation == "exact"
        assert matches[pair].confidence == 0.95
        assert [reason.source for reason in matches[pair].reasons] == ["joint", "sound"]


def test_what_is_sure_both_ways_is_accepted_if_each_is_the_first_of_the_other():
    for same, listed, state in (
        (0.64, False, "review"),
        (0.65, False, "accepted"),
        (0.6, True, "accepted"),
    ):
        rows = both("a:rap", "b:hop", same=same, accepted=listed)
        assert check(decide(facts_of(TWO, rows)))["a:rap", "b:hop"].state == state
    rows[1]["accepted"] = False
    assert check(decide(facts_of(TWO, rows)))["a:rap", "b:hop"].state == "review"
    rows = [
        evidence_row("a:rap", "b:hop", accepted=True, same=0.9),
        evidence_row("b:hop", "a:dub", accepted=True, same=0.6),
        evidence_row("b:hop", "a:rap", rank=2, same=0.35),
    ]
    assert check(decide(facts_of(TWO, rows)))["a:rap", "b:hop"].state == "review"


def test_a_person_says_how_sure_is_sure_enough():
    facts = facts_of(TWO, both("a:rap", "b:hop", same=0.75, accepted=False))
    found = decide(facts, ReconcileConfig(sure=0.8))
    assert check(found)["a:rap", "b:hop"].state == "review"


def test_a_first_candidate_is_listed_however_unlikely():
    rows = [evidence_row("a:rap", "b:ska", same=0.001), evidence_row("a:dub", "b:ska", same=0.0)]
    rows.append(evidence_row("a:dub", "b:hop", rank=2, same=0.0))
    matches = check(decide(facts_of(TWO, rows)))
    assert matches["a:rap", "b:ska"].state == matches["a:dub", "b:ska"].state == "candidate"
    assert ("a:dub", "b:hop") not in matches


def test_broader_narrower_and_related_tags_are_put_up_for_review():
    rows = [
        evidence_row("a:rap", "b:hop", broad=0.8),
        evidence_row("a:dub", "b:ska", related=0.6),
        evidence_row("b:hop", "a:rap", narrow=0.3),
    ]
    matches = check(decide(facts_of(TWO, rows)))
    assert (matches["a:rap", "b:hop"].relation, matches["a:rap", "b:hop"].state) == (
        "broad",
        "review",
    )
    assert matches["a:dub", "b:ska"].relation == "related"
    assert matches["b:hop", "a:rap"].state == "candidate"


def test_a_tag_of_two_senses_is_merged_with_no_other():
    senses = [TwoSenses("a:rap", (("x",), ("y",)), ("b:hop", "b:ska"))]
    rows = both("a:rap", "b:hop", same=0.64, accepted=False)
    found = decide(facts_of(TWO, rows, senses=senses))
    assert check(found)["a:rap", "b:hop"].state == "review"
    assert [sense.tag for sense in found.senses] == ["a:rap"]
    spelt = decide(facts_of(TWO | {"a:Rap": [30]}, (), senses=senses))
    assert "two senses" in check(spelt)["a:Rap", "a:rap"].note
    assert spelt.canonical["a:Rap"] == "a:Rap"


def test_a_tag_that_evidence_surely_matches_is_one_thing():
    senses = [TwoSenses("a:rap", (("x",), ("y",)), ("b:hop", "b:ska"))]
    found = decide(facts_of(TWO, both("a:rap", "b:hop"), senses=senses))
    assert found.senses == ()
    assert check(found)["a:rap", "b:hop"].state == "accepted"


CLAIMED = {"b:rave": range(9), "a:techno": range(20, 25), "a:trance": range(30, 35)}


def state_of(found, source, target):
    """State and note of a match."""
    match = check(found)[source, target]
    return match.state, match.note


def test_what_two_tags_sound_like_may_be_broader_than_both():
    rows = [*both("b:rave", "a:techno"), evidence_row("a:trance", "b:rave", same=0.3)]
    state, note = state_of(decide(facts_of(CLAIMED, rows)), "b:rave", "a:techno")
    assert state == "review"
    assert "'b:rave' may be broader: 'a:trance'" in note
    unlikely = [*rows[:2], evidence_row("a:trance", "b:rave", same=0.29)]
    assert state_of(decide(facts_of(CLAIMED, unlikely)), "b:rave", "a:techno")[0] == "accepted"
    together = [row | {"fm": None} for row in rows]
    assert state_of(decide(facts_of(CLAIMED, together)), "b:rave", "a:techno")[0] == "accepted"


def test_spellings_and_styles_of_a_genre_are_no_rivals():
    spelt = {"b:rave": range(9), "a:techno": range(20, 25), "a:Techno": range(30, 33)}
    rows = [*both("b:rave", "a:techno"), evidence_row("a:Techno", "b:rave", same=0.9)]
    assert state_of(decide(facts_of(spelt, rows)), "b:rave", "a:techno")[0] == "accepted"
    genres = {"b:genre:dub": range(9), "a:genre:reggae": range(9, 15), "a:ska": range(20, 25)}
    rows = both("b:genre:dub", "a:genre:reggae")
    rows.append(evidence_row("a:ska", "b:genre:dub", same=0.9))
    found = decide(facts_of(genres, rows))
    assert state_of(found, "b:genre:dub", "a:genre:reggae")[0] == "accepted"
    levels = {"b:genre:dub": range(9), "a:ska": range(20, 25)}
    found = decide(facts_of(levels, both("b:genre:dub", "a:ska")))
    assert state_of(found, "b:genre:dub", "a:ska") == (
        "review",
        "one is a genre, the other a style",
    )


def test_genres_are_the_same_only_if_the_counterparts_of_their_styles_are_below_both():
    tracks = {"a:latin": range(6), "a:tango": range(10, 15), "b:latino": range(20, 26)}
    tracks |= {"b:argentine": range(30, 35), "b:ballroom": range(40, 45)}
    rows = [*both("a:latin", "b:latino"), *both("a:tango", "b:argentine", same=0.6)]
    rows = [row | {"accepted": False} for row in rows]
    for parent, state in (("b:ballroom", "review"), ("b:latino", "accepted")):
        taxonomy = Taxonomy.of([("a:tango", "a:latin"), ("b:argentine", parent)])
        found = decide(facts_of(tracks, rows, taxonomy=taxonomy))
        assert state_of(found, "a:latin", "b:latino")[0] == state
    elsewhere = Taxonomy.of([("a:tango", "a:latin"), ("b:argentine", "b:ballroom")])
    found = decide(facts_of(tracks, rows, taxonomy=elsewhere))
    assert "'a:tango' is below it" in state_of(found, "a:latin", "b:latino")[1]


def test_tags_of_one_first_candidate_are_likelier_duplicates():
    tracks = {"a:whirl": range(5), "a:spin": range(10, 15), "b:top": range(20, 29)}
    for same, asked in ((0.19, False), (0.2, True)):
        within = both("a:whirl", "a:spin", same=same, accepted=False)
        match = check(decide(facts_of(tracks, within))).get(("a:spin", "a:whirl"))
        assert (match is not None and match.state == "review") == asked
    within = both("a:whirl", "a:spin", same=0.27, accepted=False)
    rows = [*within, *both("a:whirl", "b:top", same=0.96, accepted=False)]
    rows.append(evidence_row("a:spin", "b:top", same=0.8))
    match = check(decide(facts_of(tracks, rows)))["a:spin", "a:whirl"]
    assert match.state == "review"
    assert match.confidence == pytest.approx(0.27 * 0.776 / (0.27 * 0.776 + 0.73 * 0.232))


def split_between_twins(one):
    """What an answer is worth that falls on two tags which are one with that probability."""
    tracks = {"a:whirl": range(9), "a:spin": range(10, 15), "b:top": range(20, 29)}
    rows = both("a:whirl", "a:spin", same=one, accepted=False)
    rows += [evidence_row("a:whirl", "b:top", same=0.9, accepted=False)]
    rows += [evidence_row("a:spin", "b:top", same=0.6, accepted=False, rank=1)]
    rows += [evidence_row("b:top", "a:whirl", same=0.5, accepted=False)]
    rows += [evidence_row("b:top", "a:spin", same=0.4, accepted=False, rank=2)]
    return check(decide(facts_of(tracks, rows)))["b:top", "a:whirl"]


def test_an_answer_that_is_split_between_duplicates_counts_for_both():
    match = split_between_twins(0.4)
    agree = 0.9 * 0.6 + 0.1 * 0.4
    one = 0.4 * agree / (0.4 * agree + 0.6 * (1 - 0.9 * 0.6))
    assert match.confidence == pytest.approx(0.5 + one * 0.4)
    assert match.state == "accepted"
    apart = split_between_twins(0.01)
    assert apart.state == "review", "not surely the same, and a tag beside it is a rival"
    assert apart.confidence == pytest.approx(0.5, abs=0.01)


def test_a_genre_that_has_styles_is_broad_and_not_of_two_senses():
    senses = [TwoSenses("a:rap", (("x",), ("y",)), ("b:hop", "b:ska"))]
    taxonomy = Taxonomy.of([("a:dub", "a:rap")])
    assert decide(facts_of(TWO, senses=senses)).senses == tuple(senses)
    assert decide(facts_of(TWO, senses=senses, taxonomy=taxonomy)).senses == ()


def test_duplicates_in_a_system_are_merged_into_the_one_with_more_tracks():
    tracks = {"a:klassik": range(3), "a:classical": range(3, 9), "b:x": [20]}
    found = decide(facts_of(tracks, both("a:klassik", "a:classical")))
    assert found.canonical["a:klassik"] == "a:classical"
    assert check(found)["a:klassik", "a:classical"].state == "accepted"


def test_what_somebody_told_apart_is_no_duplicate_for_its_sound():
    tracks = {"a:klassik": range(5), "a:classical": range(3, 12)}
    match = check(decide(facts_of(tracks, both("a:klassik", "a:classical"))))
    assert match["a:klassik", "a:classical"].state == "review"
    tracks = {"a:genre:dub": range(3), "a:reggae": range(3, 9)}
    match = check(decide(facts_of(tracks, both("a:genre:dub", "a:reggae"))))
    assert "genre" in match["a:genre:dub", "a:reggae"].note


def test_after_merging_the_same_is_one_to_one():
    tracks = {"a:bossa nova": range(5), "a:bossanova": range(5, 8), "b:bossa": range(9, 15)}
    tracks |= {"b:brazil": range(20, 25)}
    rows = [
        *both("a:bossa nova", "b:bossa", same=0.9),
        evidence_row("a:bossanova", "b:bossa", accepted=True, same=0.9),
    ]
    found = decide(facts_of(tracks, rows))
    match = check(found)["a:bossanova", "b:bossa"]
    assert match.state == "accepted"
    assert match.note == "as 'a:bossa nova' is 'b:bossa'"
    rows = [*both("a:bossa nova", "b:bossa", same=0.9), *both("a:bossanova", "b:brazil", same=0.8)]
    matches = check(decide(facts_of(tracks, rows)))
    assert matches["a:bossa nova", "b:bossa"].state == "accepted"
    assert matches["a:bossanova", "b:brazil"].state == "review"
    assert "counterpart already" in matches["a:bossanova", "b:brazil"].note


def test_the_same_name_adds_to_doubtful_sound_and_is_noted_where_the_sound_is_another():
    tracks = {"a:Dance": range(9), "b:dance": range(10, 19), "b:x": [20]}
    rows = both("a:Dance", "b:dance", same=0.6, accepted=False)
    assert check(decide(facts_of(tracks, rows)))["a:Dance", "b:dance"].state == "accepted"
    rows = [
        evidence_row("a:Dance", "b:x", same=0.9),
        evidence_row("a:Dance", "b:dance", rank=2, same=0.001),
    ]
    match = check(decide(facts_of(tracks, rows)))["a:Dance", "b:dance"]
    assert match.state == "review"
    assert match.note == "the same name, but another sound"
    rows = [*both("a:Dance", "b:x"), evidence_row("b:dance", "a:Dance", same=0.2)]
    match = check(decide(facts_of(tracks, rows)))["a:Dance", "b:dance"]
    assert match.state == "candidate"
    assert match.note == "the same name, but 'a:Dance' has another counterpart"
    match = check(decide(facts_of(tracks)))["a:Dance", "b:dance"]
    assert (match.state, match.note) == ("review", "the same name")


def test_what_cannot_be_told_is_said_and_what_has_no_counterpart():
    rows = [dict.fromkeys(COLUMNS) | {"source": "a:rap", "relation": "untold", "source_artists": 1}]
    rows += [evidence_row("a:dub", "b:ska", same=0.01, none=0.99)]
    matches = check(decide(facts_of(TWO, rows)))
    assert matches["a:rap", None].note == "cannot be told from its sound: 1 artist"
    assert matches["a:rap", None].state == "candidate"
    assert matches["a:dub", None].state == "accepted"
    assert matches["a:dub", None].confidence == 0.99
    assert ("b:hop", None) not in matches


def test_parents_by_containment_without_what_follows():
    tracks = {"a:dub": range(4), "a:reggae": range(9), "a:world": range(30), "a:x": range(28, 40)}
    found = decide(facts_of(tracks))
    matches = check(found)
    assert found.parents == {"a:dub": ("a:reggae",), "a:reggae": ("a:world",)}
    assert matches["a:dub", "a:reggae"].relation == "broad"
    assert matches["a:dub", "a:reggae"].state == "accepted"


def test_tracks_of_merged_tags_count_together_and_non_genres_are_no_parents():
    tracks = {"a:Dub": range(3), "a:dub": range(3, 6), "a:reggae": range(9), "a:Game": range(40)}
    found = decide(facts_of(tracks))
    check(found)
    assert found.parents == {"a:Dub": ("a:reggae",)}
    assert found.blocked["a:Game"]


def test_one_artist_makes_no_parent():
    tracks = {"a:dub": range(4), "a:reggae": range(9)}
    facts = facts_of(tracks)
    assert decide(facts).parents
    assert not decide(dataclasses.replace(facts, artist=np.zeros(9, np.int64))).parents
    assert decide(dataclasses.replace(facts, artist=None)).parents


def test_a_taxonomy_counts_instead_and_the_sound_may_disagree():
    tracks = {"a:blues rock": range(9), "a:blues": range(1, 10), "a:rock": range(2, 11)}
    taxonomy = Taxonomy.of([("a:blues rock", "a:blues"), ("a:hard", "a:rock")])
    tracks |= {"a:hard": range(50, 59)}
    rows = [
        evidence_row("a:blues rock", "a:rock", broad=0.8),
        evidence_row("a:blues rock", "a:blues", rank=2, broad=0.1),
    ]
    found = decide(facts_of(tracks, rows, taxonomy=taxonomy))
    matches = check(found)
    assert found.parents == {"a:blues rock": ("a:blues",), "a:hard": ("a:rock",)}
    match = matches["a:blues rock", "a:rock"]
    assert (match.relation, match.state) == ("broad", "review")
    assert "the sound disagrees" in match.note


def test_what_people_say_holds():
    tracks = SPELT | TWO
    rows = both("a:rap", "b:hop")
    some = people(
        said("a:Techno", "a:techno", verdict="negative"),
        said("a:rap", "b:ska"),
        said("a:dub", "b:hop", verdict="unsure"),
    )
    found = decide(facts_of(tracks, rows, people=some))
    matches = check(found)
    assert found.canonical["a:techno"] != found.canonical["a:Techno"]
    assert (matches["a:Techno", "a:techno"].state, matches["a:Techno", "a:techno"].by) == (
        "rejected",
        "Ann",
    )
    assert matches["a:rap", "b:ska"].state == "accepted"
    assert matches["a:rap", "b:ska"].confidence == 1
    assert matches["a:rap", "b:hop"].state == "review"
    assert matches["a:dub", "b:hop"].state == "unsure"


def test_a_pair_that_people_decided_is_said_once():
    some = people(said("b:hop", "a:rap", verdict="negative"))
    matches = check(decide(facts_of(TWO, both("a:rap", "b:hop"), people=some)))
    assert ("a:rap", "b:hop") not in matches
    assert matches["b:hop", "a:rap"].state == "rejected"


def test_people_merge_what_no_rule_would():
    tracks = {"a:Klassik": range(3), "a:Classical": range(5), "b:E": [9]}
    found = decide(facts_of(tracks, people=people(said("a:Klassik", "a:Classical"))))
    check(found)
    assert found.canonical["a:Klassik"] == "a:Classical"


def test_two_tags_that_people_say_are_one_elsewhere_are_merged_with_a_note():
    some = people(said("a:rap", "b:hop", line=5), said("a:rap", "b:ska", line=6))
    found = decide(facts_of(TWO, people=some))
    check(found)
    assert found.canonical["b:ska"] == "b:hop"
    assert "positive.sssom.tsv:5, positive.sssom.tsv:6" in found.notes[0]


def test_people_put_tags_below_others_and_take_them_away():
    tracks = {"a:dub": range(4), "a:reggae": range(9), "a:ska": [20]}
    some = people(
        said("a:dub", "a:reggae", "broad", "negative"), said("a:reggae", "a:ska", "narrow")
    )
    found = decide(facts_of(tracks, people=some))
    check(found)
    assert found.parents == {"a:ska": ("a:reggae",)}


def test_a_circle_is_broken_at_the_weakest_link_and_said():
    tracks = {"a:dub": range(4), "a:reggae": range(9)}
    found = decide(facts_of(tracks, people=people(said("a:reggae", "a:dub", "broad"))))
    check(found)
    assert found.parents == {"a:reggae": ("a:dub",)}
    assert "circle" in found.notes[0]


CIRCLE = (("rap", "dub"), ("dub", "x"), ("x", "rap"))
APART = said("a:dub", "a:rap", verdict="negative")


@pytest.mark.parametrize(
    ("some", "message"),
    [
        (
            [said(f"a:{first}", f"a:{other}", "broad") for first, other in CIRCLE],
            "circle, a:",
        ),
        ([said("a:rap", "a:dub"), said("a:rap", "a:dub", "broad", line=6)], "5|6"),
        (
            [said("a:rap", "b:hop"), said("a:dub", "b:hop"), APART],
            "negative.sssom.tsv:5: contradicts positive",
        ),
    ],
)  # fmt: skip
def test_what_people_cannot_all_mean_is_refused_in_one_line(some, message):
    facts = facts_of(TWO | {"a:x": [30]}, people=people(*some))
    with pytest.raises(InputError, match=message) as error:
        decide(facts)
    assert "\n" not in str(error.value)


def test_a_person_may_say_that_there_is_no_counterpart():
    some = people(said("a:rap", None, "none"))
    matches = check(decide(facts_of(TWO, both("a:rap", "b:hop"), people=some)))
    assert matches["a:rap", None].by == "Ann"
    assert matches["a:rap", "b:hop"].state == "candidate"


def test_annotations_alone_are_enough_and_order_does_not_matter():
    facts = facts_of(SPELT | TWO, both("a:rap", "b:hop"))
    found = decide(facts)
    turned = decide(dataclasses.replace(facts, rows=facts.rows[::-1]))
    assert found.matches == turned.matches
    assert found.canonical == turned.canonical


@pytest.mark.parametrize(
    "wrong",
    [
        {"sure": 0},
        {"review": 0},
        {"none": 1.1},
        {"contained": 0.5},
        {"parent_tracks": 0},
        {"objection": np.nan},
    ],
)
def test_the_config_is_checked(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        ReconcileConfig(**wrong)


def test_a_tag_has_a_few_parents_that_are_clearly_wider():
    tags = [("x", "a", "b", "c", "d")] * 8 + [(tag,) for tag in "abcd" for _ in range(8)]
    tags += [("y", "z")] * 8 + [("y",)] * 2 + [("z",)] * 5
    ids = tuple(f"t{k}" for k in range(len(tags)))
    facts = gather_facts([Catalogue("", ids, ids, ids, tuple(tags))])
    assert decide(facts).parents == {"x": ("a", "b", "c")}
    assert decide(facts, ReconcileConfig(wider=1.0, parents=1)).parents == {
        "x": ("a",), "y": ("z",),
    }  # fmt: skip


def test_a_tag_with_others_below_it_is_broad_and_not_of_two_senses():
    tags = [("x", "wide")] * 4 + [("wide",)] * 4 + [("apart",)] * 4
    ids = tuple(f"t{k}" for k in range(len(tags)))
    facts = gather_facts([Catalogue("", ids, ids, ids, tuple(tags))])
    senses = [TwoSenses(tag, (("t0",), ("t4",)), ("x", "apart")) for tag in ("wide", "apart")]
    found = decide(dataclasses.replace(facts, senses=senses))
    assert [sense.tag for sense in found.senses] == ["apart"]
