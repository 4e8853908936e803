"""Decisions over the page's own talk: on disk first, never lost, never over somebody else's."""

import csv
import json
import os
import random
import re
import threading

import pytest
from reviewed import Review

from tagjax.reconcile.decide import decide
from tagjax.reconcile.people import VERDICTS, path_of, read_people
from tagjax.reconcile.usefulness import unsureness
from tagjax.review import journal
from tagjax.review.journal import FILE
from tagjax.review.people_store import PeopleStore


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


def test_many_are_shown_before_they_are_written_and_are_one_step(review, window):
    index = review.found.facts.vocabulary.index
    same, below = (f"{index[f'a:{name}']}-{index[f'b:{name}']}" for name in ("ska", "rai"))
    cross = f"{index['a:ska']}-{index['b:rai']}"
    window.decide(cross, "negative")
    body = {"pairs": {same: "exact", below: "broad", cross: "exact"}, "verdict": "positive"}
    before = texts(review.store.folder)
    shown = window.post("/api/many", body | {"preview": True}).json()
    assert {"a:ska is the same as b:ska", "a:rai is a kind of b:rai"} <= {*shown["would"]}
    assert texts(review.store.folder) == before
    done = window.post("/api/many", body | {"preview": False}).json()
    assert done["refused"] == []
    assert done["state"]["undo"] == "3 decisions"
    assert said(review)["a:ska", "b:ska"][:2] == ("exact", "positive")
    assert said(review)["a:rai", "b:rai"][:2] == ("broad", "positive")
    assert window.post("/api/undo", {}).json()["said"] == "3 decisions"
    assert texts(review.store.folder) == before


def test_of_many_those_that_contradict_others_are_refused(review, window):
    index = review.found.facts.vocabulary.index
    window.decide(f"{index['a:ska']}-{index['a:rai']}", "negative")
    pairs = [f"{index[first]}-{index['b:ska']}" for first in ("a:ska", "a:rai")]
    body = {"pairs": dict.fromkeys(pairs, "exact"), "verdict": "positive", "preview": False}
    (refused,) = window.post("/api/many", body).json()["refused"]
    assert refused.startswith("a:rai and b:ska: ")
    assert len(said(review)) == 2
    for odd in ([], {pairs[0]: "same"}, dict.fromkeys(map(str, range(2001)), "exact")):
        assert window.post("/api/many", body | {"pairs": odd}).status_code == 400


def test_what_is_chosen_for_a_tag_is_in_the_answer_and_stays(review, window):
    index, folder = review.found.facts.vocabulary.index, review.store.folder
    path, ska = f"/api/tag/{index['a:dub']}", f"/api/tag/{index['a:ska']}"
    head = window.get(path).json()["canonical"]["name"]
    other = {"a:dub": "a:Dub", "a:Dub": "a:dub"}[head]
    answer = window.post(path, {"canonical": other[2:]}).json()
    assert answer["tag"] == window.get(path).json()
    assert answer["tag"]["canonical"]["name"] == answer["tag"]["name"] == other
    assert window.post(ska, {"block": True}).json()["tag"]["blocked"] == "a person says so"
    with (folder / "tags.csv").open() as file:
        assert [row["action"] for row in csv.DictReader(file)] == ["canonical", "block"]
    assert window.post(ska, {"block": False}).json()["tag"]["blocked"] == ""
    answer = window.post(path, {"split": True}).json()
    assert (answer["tag"]["canonical"]["name"], answer["tag"]["split"]) == ("a:dub", True)
    assert answer["state"]["version"] == window.state()["version"] or review.session.wait()
    again = Review(folder)
    assert again.session.tag(str(index["a:dub"]))["canonical"]["name"] == "a:dub"
    again.session.close()


def test_a_new_name(review, window):
    index, folder = review.found.facts.vocabulary.index, review.store.folder
    path = f"/api/tag/{index['a:dub']}"
    answer = window.post(path, {"canonical": " Dub  Cafe\u0301\u0007 "}).json()
    assert answer["tag"]["name"] == answer["tag"]["canonical"]["called"] == "a:Dub Café"
    assert answer["state"]["undo"] == "a:dub is called a:Dub Café"
    for tag in ("a:dub", "a:Dub"):
        assert window.get(f"/api/tag/{index[tag]}").json()["tag"]["called"] == "a:Dub Café"
    window.post(f"/api/tag/{index['a:Dub']}", {"canonical": "Sound"})
    people = read_people(folder, review.found.facts.vocabulary)
    assert people.choices.canonical == {"a:Dub": "a:Sound"}
    for name, status in (
        ("ska", 409), ("SKA", 409), ("", 400), ("a" * 101, 400), ("unknown", 400), ("x|y", 400),
        (3, 400),
    ):  # fmt: skip
        before = (folder / "tags.csv").read_bytes()
        answer = window.post(path, {"canonical": name})
        assert (answer.status_code, "\n" in answer.json()["error"]) == (status, False)
        assert (folder / "tags.csv").read_bytes() == before
    assert window.post(path, {"canonical": "dub"}).json()["tag"]["name"] == "a:dub"


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


def everything(folder):
    """All that people said, byte for byte."""
    chosen = folder / "tags.csv"
    return texts(folder) | {"tags": chosen.read_bytes() if chosen.exists() else None}


def test_undo_takes_back_decisions_and_choices_in_one_order_also_after_a_restart(review, window):
    index, folder = review.found.facts.vocabulary.index, review.store.folder
    steps = [everything(folder)]
    first = window.next()
    ska = f"/api/tag/{index['a:ska']}"
    for act in (
        lambda: window.decide(first["id"], "positive", "exact"),
        lambda: window.post(f"/api/tag/{index['a:dub']}", {"canonical": "New"}),
        lambda: window.decide(first["id"], "positive", "broad"),
        lambda: window.post(ska, {"block": True}),
        lambda: window.decide(window.next()["id"], "unsure"),
        lambda: window.post(ska, {"block": False}),
    ):
        assert act().status_code == 200
        steps.append(everything(folder))
    assert len({str(step) for step in steps}) == len(steps)
    steps.pop()
    answer = window.post("/api/undo", {}).json()
    assert everything(folder) == steps.pop()
    assert answer["tag"]["blocked"] == "a person says so"
    again = Review(folder)
    other = again.window()
    while steps:
        assert other.state()["can_undo"]
        answer = other.post("/api/undo", {}).json()
        assert everything(folder) == steps.pop()
        assert bool(answer["pair"]) != bool(answer["tag"])
    assert answer["pair"]["id"] == first["id"]
    assert answer["pair"]["state"] == first["state"]
    assert (other.state()["can_undo"], other.post("/api/undo", {}).status_code) == (False, 409)
    again.session.close()


def test_undo_is_refused_where_somebody_edited_and_the_one_before_is_next(review, window):
    pair, folder = window.next(), review.store.folder
    window.decide(pair["id"])
    window.decide(window.next()["id"], "negative")
    path = path_of(folder, "negative")
    path.write_text(path.read_text().replace("Anna", "Berta"))
    before = everything(folder)
    answer = window.post("/api/undo", {})
    assert answer.status_code == 409
    assert answer.json()["error"] == f"{path} was edited meanwhile; undo it there"
    assert everything(folder) == before
    assert window.post("/api/undo", {}).json()["pair"]["id"] == pair["id"]
    assert everything(folder)["negative"] == before["negative"]
    assert not window.state()["can_undo"]


def test_undo_that_would_contradict_what_somebody_wrote_changes_nothing(review, window):
    index, folder = review.found.facts.vocabulary.index, review.store.folder
    pair = f"{index['a:ska']}-{index['b:ska']}"
    window.decide(pair, "positive", "exact")
    window.decide(pair, "positive", "broad")
    path = path_of(folder, "negative")
    positive = path_of(folder, "positive").read_text()
    row = positive.splitlines()[-1].replace("broadMatch\t", "exactMatch\tNot")
    header = next(line for line in positive.splitlines() if line.startswith("subject_id"))
    path.write_text(f"{header}\n{row}\n")
    assert window.state()["error"] == ""
    before = everything(folder)
    answer = window.post("/api/undo", {})
    assert (answer.status_code, "says it is" in answer.json()["error"]) == (409, True)
    assert everything(folder) == before
    assert window.state()["error"] == ""


def test_a_step_that_a_kill_left_undone_is_passed_over(review, window):
    index, folder = review.found.facts.vocabulary.index, review.store.folder
    start, pair = everything(folder), window.next()
    window.decide(pair["id"])
    before = everything(folder)
    window.post(f"/api/tag/{index['a:ska']}", {"block": True})
    (folder / "tags.csv").unlink()  # As if it had been killed before it was written,
    with (folder / FILE).open("a") as file:
        file.write('{"said": "cut')  # and the next step was cut off.
    again = Review(folder)
    other = again.window()
    assert everything(folder) == before
    assert other.post("/api/undo", {}).json()["pair"]["id"] == pair["id"]
    assert everything(folder) == start
    again.session.close()


def test_the_journal_forgets_old_steps(review, window, monkeypatch):
    monkeypatch.setattr(journal, "KEPT", 5)
    pair, sizes = window.next(), []
    for k in range(30):
        window.decide(pair["id"], "positive", ("exact", "broad")[k % 2])
        sizes.append((review.store.folder / FILE).read_text().count("\n"))
    assert max(sizes) <= 10
    done = 0
    while window.post("/api/undo", {}).status_code == 200:
        done += 1
    assert done >= 5
    monkeypatch.setattr(journal, "MOST_BYTES", 100)
    for k in range(8):
        window.decide(pair["id"], "positive", ("exact", "broad")[k % 2])
        assert window.state()["can_undo"]
    assert (review.store.folder / FILE).read_text().count("\n") <= 2


@pytest.mark.parametrize("name", ["negative.sssom.tsv", "tags.csv"])
def test_a_file_that_is_gone_is_told_and_nothing_is_made_in_its_place(review, window, name):
    index, folder = review.found.facts.vocabulary.index, review.store.folder
    pair = window.next()
    window.decide(pair["id"], "negative")
    window.post(f"/api/tag/{index['a:ska']}", {"block": True})
    content, decided = (folder / name).read_bytes(), window.state()["decided"]
    (folder / name).unlink()
    state = window.state()
    assert state["error"].startswith(f"{folder / name}: is gone, and with it 1 row; put it back")
    assert state["decided"] == decided
    for path, body in (
        ("/api/undo", {}),
        (f"/api/tag/{index['a:ska']}", {"block": False}),
    ):
        answer = window.post(path, body)
        assert (answer.status_code, answer.json()["error"]) == (409, state["error"])
    assert window.decide(pair["id"]).status_code == 409
    assert not (folder / name).exists()
    (folder / name).write_bytes(content)
    assert window.state()["error"] == ""
    assert window.decide(pair["id"]).status_code == 200


def test_a_file_that_is_missing_at_the_start_is_told(review, folder):
    path_of(folder, "unsure").unlink()
    store = PeopleStore(folder, review.found.facts.vocabulary)
    assert "there was no unsure.sssom.tsv" in store.note
    assert PeopleStore(folder, review.found.facts.vocabulary).note == ""


@pytest.mark.parametrize("name", ["unsure.sssom.tsv", "tags.csv"])
def test_a_file_that_is_not_utf8_is_named_with_its_row(review, window, name):
    index, path = review.found.facts.vocabulary.index, review.store.folder / name
    window.decide(window.next()["id"], "unsure")
    window.post(f"/api/tag/{index['a:ska']}", {"block": True})
    path.write_bytes(path.read_bytes() + "é\n".encode("latin1"))
    before, row = path.read_bytes(), path.read_bytes().count(b"\n")
    error = window.state()["error"]
    assert error.startswith(f"{path}:{row}: not UTF-8")
    assert "convert it, such as with iconv" in error
    assert "\n" not in error
    assert window.decide(window.next()["id"]).status_code == 409
    assert path.read_bytes() == before


@pytest.mark.parametrize("seed", range(3))
def test_why_more_is_left_is_always_said(review, window, seed):
    """Whatever is decided and taken back, the number of pairs left never grows in silence."""
    rng, before, grew = random.Random(seed), window.state(), 0
    for _ in range(30):
        pairs = window.get("/api/pairs?limit=500").json()["pairs"]
        pair = rng.choice([p for p in pairs if p["target"]])
        what = rng.random()
        if what < 0.6:
            window.decide(pair["id"], rng.choice(VERDICTS), rng.choice(["exact", "broad"]))
        elif what < 0.8:
            window.post("/api/undo", {})
        else:
            window.post(f"/api/tag/{pair['source']['id']}", {"block": rng.random() < 0.5})
        if rng.random() < 0.7:
            assert review.session.wait()
        state = window.state()
        parts = ("to_review", "accepted_unsure", "candidates_unsure")
        assert state["left"] == sum(state[part] for part in parts)
        assert state["total"] == state["left"] + state["decided"]
        if state["left"] > before["left"]:
            grew += 1
            assert re.match(r"\d+ pairs? (became unsure|is open|are open)", state["changed"][0])
        assert len({*state["changed"]}) == len(state["changed"])
        before = state
    assert grew


def test_lines_on_what_changed_are_of_the_last_time_alone(review, window):
    index = review.found.facts.vocabulary.index
    window.post(f"/api/tag/{index['a:ska']}", {"block": True})
    assert review.session.wait()
    assert "a:ska is dropped" in window.state()["changed"]
    pair = next(p for p in window.get("/api/pairs?limit=99").json()["pairs"] if p["target"])
    window.decide(pair["id"], "unsure")
    assert review.session.wait()
    assert not any("dropped" in line for line in window.state()["changed"])


def test_where_nothing_was_heard_nothing_is_said_of_sound(unheard):
    window = unheard.window()
    state = window.state()
    assert state["heard"] is False
    assert window.get("/api/map").json()["note"] == "drawn by the tracks that tags have in common"
    index = unheard.found.facts.vocabulary.index
    window.decide(window.next()["id"])
    assert unheard.session.wait()
    answers = [window.get(f"/api/{path}").json() for path in ("state", "pairs?limit=500", "tree")]
    for pair in answers[1]["pairs"][:20]:
        answers.append(window.get(f"/api/pair/{pair['id']}").json())
    answers += [window.get(f"/api/tag/{k}").json() for k in range(len(index))]
    for answer in answers:
        answer.pop("clips_note", None)
        assert not re.search(r"sound|hear(?!d\b)|listen", json.dumps(answer))
