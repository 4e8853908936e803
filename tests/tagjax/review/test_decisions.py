"""Decisions over the page's own talk: on disk first, never lost, never over somebody else's."""

import csv
import os
import threading

import pytest
from reviewed import Review

from tagjax.reconcile.decide import decide
from tagjax.reconcile.people import VERDICTS, path_of, read_people
from tagjax.reconcile.usefulness import unsureness


def texts(folder):
    return {verdict: path_of(folder, verdict).read_bytes() for verdict in VERDICTS}


def said(review):
    """{(source, target): (relation, verdict)} on disk."""
    people = read_people(review.store.folder, review.found.facts.vocabulary)
    return {(s.source, s.target): (s.relation, s.verdict, s.by) for s in people.said}


def tags_of(pair):
    return pair["source"]["name"], pair["target"]["name"]


def test_a_decision_is_on_disk_when_it_is_answered_and_the_next_is_another(review, window):
    done, pair = [], window.next()
    for verdict in ("positive", "negative", "unsure"):
        answer = window.decide(pair["id"], verdict, pair["relation"])
        assert answer.status_code == 200
        assert said(review)[tags_of(pair)] == (pair["relation"], verdict, "Anna")
        done.append(pair["id"])
        pair = answer.json()["next"]
        assert pair["id"] not in done
    assert answer.json()["state"]["decided"] == 3


def test_what_comes_first_is_unsure_and_touches_many_tracks(review, window):
    skip, seen, useful = [], [], []
    while pair := window.next(",".join(skip)):
        skip.append(pair["id"])
        seen.append(pair["state"])
        tracks = min(pair["source"]["tracks"], pair["target"]["tracks"])
        unsure = unsureness(pair["confidence"])
        useful.append(max(unsure, 0.3 * (pair["state"] == "review")) * (1 + tracks))
    assert "review" in seen
    assert len({*skip}) == len(seen) == window.state()["left"]
    assert useful == sorted(useful, reverse=True)


def test_a_second_window_does_not_overwrite_the_first(review, window):
    other = review.window()
    pair, version = window.next(), other.state()["version"]
    assert window.decide(pair["id"], "positive").status_code == 200
    before = texts(review.store.folder)
    answer = other.decide(pair["id"], "negative", version=version)
    assert answer.status_code == 409
    assert "decided elsewhere" in answer.json()["error"]
    assert texts(review.store.folder) == before
    assert other.decide(pair["id"], "negative").status_code == 200
    assert said(review)[tags_of(pair)][1] == "negative"


def test_two_threads_lose_nothing(review):
    windows = [review.window() for _ in range(4)]
    pairs = windows[0].get("/api/pairs?limit=24").json()["pairs"]
    version = windows[0].state()["version"]
    codes = []

    def work(window, own):
        for pair in own:
            codes.append(window.decide(pair["id"], "unsure", version=version).status_code)

    threads = [
        threading.Thread(target=work, args=(window, pairs[k::3]))
        for k, window in enumerate(windows)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes.count(200) == len({frozenset(tags_of(p)) for p in pairs if p["target"]}) + sum(
        p["target"] is None for p in pairs
    )
    assert len(said(review)) == codes.count(200)
    assert codes.count(409) == len(codes) - codes.count(200)


def test_an_undone_decision_leaves_every_byte_as_it_was(review, window):
    before, pair = texts(review.store.folder), window.next()
    window.decide(pair["id"])
    answer = window.post("/api/undo", {})
    assert answer.status_code == 200
    assert answer.json()["pair"]["id"] == pair["id"]
    assert texts(review.store.folder) == before
    assert window.next()["id"] == pair["id"]
    assert window.post("/api/undo", {}).status_code == 409


HAND = (
    "# a remark\n#mapping_set_id: https://example.org/mine\n"
    "subject_id\tsubject_label\tpredicate_id\tobject_id\tobject_label\tmood\n"
    'x:1\ta:ska\tskos:broadMatch\tx:2\ta:rai\t"merry\nvery"\n'
    "#in between\n"
    "x:1\ta:gone\tskos:exactMatch\tx:2\tb:gone\t\n"
    "x:1\ta:emo\tskos:exactMatch\tx:2\tb:bop\tsad"
)


def test_a_hand_written_file_keeps_all_other_bytes(review, window):
    path = path_of(review.store.folder, "positive")
    path.write_text(HAND)
    index = review.found.facts.vocabulary.index
    assert window.decide(f"{index['a:zouk']}-{index['b:zouk']}").status_code == 200
    text = path.read_text()
    assert text.replace(text.splitlines(keepends=True)[-1], "").endswith(HAND + "\n")
    assert "a:zouk" in text.splitlines()[-1]
    window.decide(f"{index['a:emo']}-{index['b:bop']}", "negative")
    left = path.read_text()
    assert left == text.replace("x:1\ta:emo\tskos:exactMatch\tx:2\tb:bop\tsad\n", "")
    assert said(review)["a:emo", "b:bop"] == ("exact", "negative", "Anna")
    assert said(review)["a:ska", "a:rai"][0] == "broad"
    window.post("/api/undo", {})
    assert path.read_text() == text


def test_an_undo_keeps_what_somebody_wrote_meanwhile(review, window):
    pair = window.next()
    window.decide(pair["id"])
    path = path_of(review.store.folder, "positive")
    lines = path.read_text().splitlines(keepends=True)
    hand = (
        lines[-1]
        .replace(lines[-1].split("\t")[0], "a:zouk")
        .replace(pair["source"]["name"], "a:zouk")
    )
    hand = hand.replace(pair["target"]["name"], "a:rai").replace("exactMatch", "relatedMatch")
    path.write_text("".join([*lines, hand]))
    assert window.post("/api/undo", {}).status_code == 200
    assert path.read_text() == "".join([*lines[:-1], hand])


def test_an_edit_between_two_requests_is_heeded(review, window):
    pair, version = window.next(), window.state()["version"]
    source, target = tags_of(pair)
    path = path_of(review.store.folder, "negative")
    head = "subject_id\tsubject_label\tpredicate_id\tobject_id\tobject_label\n"
    path.write_text(head + f"x:1\t{source}\tskos:exactMatch\tx:2\t{target}\n")
    assert window.next()["id"] != pair["id"]
    found = window.get(f"/api/pair/{pair['id']}").json()
    assert (found["state"], found["by"]) == ("rejected", "a person")
    assert window.state()["version"] > version
    assert window.decide(pair["id"], version=version).status_code == 409
    path.write_text(head)
    assert window.next()["id"] == pair["id"]


def test_a_file_that_does_not_parse_is_named_and_never_written(review, window):
    pair = window.next()
    path = path_of(review.store.folder, "unsure")
    path.write_text(path.read_text() + "one\ttwo\n")
    before = texts(review.store.folder)
    error = window.state()["error"]
    assert "unsure.sssom.tsv:" in error
    assert "\n" not in error
    for call in (
        lambda: window.decide(pair["id"]),
        lambda: window.post(
            "/api/many",
            {"pairs": [pair["id"]], "verdict": "positive", "relation": "exact", "preview": False},
        ),
        lambda: window.post(f"/api/tag/{pair['source']['id']}", {"block": True}),
    ):
        answer = call()
        assert answer.status_code == 409
        assert answer.json()["error"] == error
    assert texts(review.store.folder) == before
    path.write_text(path.read_text().replace("one\ttwo\n", ""))
    assert window.decide(pair["id"]).status_code == 200


def test_a_contradiction_is_refused_before_it_is_written(review, window):
    index = review.found.facts.vocabulary.index
    window.decide(f"{index['a:ska']}-{index['b:ska']}")
    window.decide(f"{index['a:rai']}-{index['b:ska']}")
    before = texts(review.store.folder)
    answer = window.decide(f"{index['a:ska']}-{index['a:rai']}", "negative")
    assert answer.status_code == 409
    assert "contradicts" in answer.json()["error"]
    assert texts(review.store.folder) == before
    assert window.state()["error"] == ""


def test_all_is_decided_again_as_launch_reconcile_would(review, window):
    index = review.found.facts.vocabulary.index
    window.decide(f"{index['a:Dub']}-{index['a:dub']}", "negative")
    window.decide(f"{index['a:ska']}-{index['a:rai']}", "positive", "broad")
    assert review.session.wait()
    people = read_people(review.store.folder, review.found.facts.vocabulary)
    facts = review.found.facts.__class__(**{**vars_of(review.found.facts), "people": people})
    wanted = decide(facts, review.found.config)
    assert window.get(f"/api/tag/{index['a:Dub']}").json()["canonical"]["name"] == "a:Dub"
    parents = window.get(f"/api/tag/{index['a:ska']}").json()["parents"]
    assert [tag["name"] for tag in parents] == [*wanted.parents["a:ska"]]
    assert any("stands for itself again" in line for line in window.state()["changed"])


def vars_of(facts):
    return {name: getattr(facts, name) for name in facts.__dataclass_fields__}


def test_evidence_learns_from_decisions_in_the_background(folder, written):
    review = Review(folder, learn=True)
    try:
        window = review.window()
        before = window.get("/api/pairs?sort=tag&limit=500").json()["pairs"]
        for name in ("zouk", "ska", "rai"):
            index = review.found.facts.vocabulary.index
            window.decide(f"{index[f'a:{name}']}-{index[f'b:{name}']}")
        assert window.state()["busy"]
        assert review.session.wait(120)
        after = window.get("/api/pairs?sort=tag&limit=500").json()["pairs"]
        confidence = [{p["id"]: p["confidence"] for p in found} for found in (before, after)]
        common = [k for k in confidence[0] if k in confidence[1]]
        assert any(confidence[0][k] != confidence[1][k] for k in common)
    finally:
        review.session.close()


def test_many_are_shown_before_they_are_written(review, window):
    index = review.found.facts.vocabulary.index
    pairs = [f"{index[f'a:{name}']}-{index[f'b:{name}']}" for name in ("ska", "rai")]
    cross = f"{index['a:ska']}-{index['b:rai']}"
    window.decide(cross, "negative")
    body = {"pairs": [*pairs, cross], "verdict": "positive", "relation": "exact"}
    before = texts(review.store.folder)
    shown = window.post("/api/many", body | {"preview": True}).json()
    assert "a:ska is the same as b:ska" in shown["would"]
    assert texts(review.store.folder) == before
    done = window.post("/api/many", {**body, "pairs": pairs, "preview": False}).json()
    assert done["refused"] == []
    assert said(review)["a:ska", "b:ska"][1] == said(review)["a:rai", "b:rai"][1] == "positive"
    window.post("/api/undo", {})
    assert texts(review.store.folder) == before


def test_what_is_chosen_for_a_tag_holds_and_stays(review, window):
    index, folder = review.found.facts.vocabulary.index, review.store.folder
    path = f"/api/tag/{index['a:dub']}"
    head = window.get(path).json()["canonical"]["name"]
    other = {"a:dub": "a:Dub", "a:Dub": "a:dub"}[head]
    assert window.post(path, {"canonical": other[2:]}).status_code == 200
    assert window.post(f"/api/tag/{index['a:ska']}", {"block": True}).status_code == 200
    assert window.post(path, {"canonical": "zouk"}).status_code == 409
    assert window.post(path, {"canonical": 3}).status_code == 400
    assert review.session.wait()
    assert window.get(path).json()["canonical"]["name"] == other
    assert window.get(f"/api/tag/{index['a:ska']}").json()["blocked"] == "a person says so"
    with (folder / "tags.csv").open() as file:
        assert [row["action"] for row in csv.DictReader(file)] == ["canonical", "block"]
    window.post(f"/api/tag/{index['a:ska']}", {"block": False})
    window.post(path, {"split": True})
    assert review.session.wait()
    assert window.get(f"/api/tag/{index['a:ska']}").json()["blocked"] == ""
    assert window.get(path).json()["canonical"]["name"] == "a:dub"
    again = Review(folder)
    assert again.session.tag(str(index["a:dub"]))["canonical"]["name"] == "a:dub"
    again.session.close()


@pytest.mark.parametrize("target", ["none", "pair"])
def test_no_counterpart(review, window, target):
    index = review.found.facts.vocabulary.index
    pair = f"{index['a:ska']}-" + ("none" if target == "none" else str(index["b:bop"]))
    assert window.decide(pair, "positive", "none").status_code == 200
    wanted = {("a:ska", None): ("none", "positive", "Anna")}
    if target == "pair":
        wanted = {("a:ska", "b:bop"): ("exact", "negative", "Anna")}
    assert said(review) == wanted
    assert review.session.wait()
    assert window.state()["error"] == ""


def test_that_a_tag_has_a_counterpart_after_all_holds(review, window):
    tag = next(t for t in review.found.facts.vocabulary.tags if "onerror" in t)
    pair = f"{review.found.facts.vocabulary.index[tag]}-none"
    window.decide(pair, "negative", "none")
    assert review.session.wait()
    assert window.get(f"/api/pair/{pair}").json()["state"] == "rejected"


def test_a_link_stays_a_link_and_a_file_keeps_its_mode(review, window, tmp_path):
    path = path_of(review.store.folder, "positive")
    kept = path.rename(tmp_path / "mine.tsv")
    kept.chmod(0o640)
    path.symlink_to(kept)
    window.decide(window.next()["id"])
    assert path.is_symlink()
    assert kept.stat().st_mode & 0o777 == 0o640
    assert "Anna" in kept.read_text()


def test_what_is_dropped_is_not_asked_about(review, window):
    pair = window.next()
    window.post(f"/api/tag/{pair['source']['id']}", {"block": True})
    assert review.session.wait()
    skip, seen = [], set()
    while found := window.next(",".join(skip)):
        skip.append(found["id"])
        seen |= {*tags_of(found)}
    assert pair["source"]["name"] not in seen
    assert window.state()["left"] == len(skip)


def test_a_run_of_launch_reconcile_meanwhile_is_told(review, window):
    assert not any("launch.reconcile" in line for line in window.state()["changed"])
    record = review.store.folder / "reconciliation.json"
    record.write_bytes(record.read_bytes())
    os.utime(record, ns=(1, 1))
    assert "launch.reconcile has run meanwhile" in window.state()["changed"][0]


def test_a_tag_without_counterpart_cannot_be_the_same_as_another(window):
    pairs = window.get("/api/pairs?limit=99").json()["pairs"]
    pair = next(p for p in pairs if p["target"] and p["source"]["system"] != p["target"]["system"])
    assert window.decide(pair["id"], "positive", "exact").status_code == 200
    alone = f"{pair['source']['id']}-none"
    assert window.decide(alone, "positive", "none").status_code == 409
    assert window.decide(alone, "positive", "exact").status_code == 400
