"""A person's way through the review page, in headless Chromium."""

import json
import os
import pathlib
import re
import time

import pytest
from reviewing import SHOWN, begin, decide, heard, line_says, listen, pair

VIEWS = ("#/decide", "#/list", "#/tag/6", "#/map", "#/tree")
SIZES = ((1280, 900), (800, 1000), (360, 740))
READY = {
    "decide": f"{SHOWN} && location.hash !== '#/decide'",
    "list": "document.querySelectorAll('#rows tr').length > 10",
    "tag": "document.querySelectorAll('#tag-clips button').length > 2",
    "map": "document.querySelectorAll('#map circle').length > 10",
    "tree": "document.querySelectorAll('#tree li').length > 10",
}


def on_disk(server) -> dict[str, tuple[str, str]]:
    path = server.folder / "decisions.json"
    rows = json.loads(path.read_text()) if path.exists() else []
    found = {row["pair"]: (row["verdict"], row["relation"]) for row in rows}
    assert len(found) == len(rows), "a pair was decided twice"
    return found


def go(page, view: str) -> None:
    page.run(f"location.hash = {json.dumps(view)}")
    name = view.split("/")[1]
    page.until(f"!document.querySelector('#view-{name}').hidden && {READY[name]}")


class TestDecisions:
    def test_first_decision_is_on_screen_after_a_reload(self, window, server):
        page = begin(window, server)
        name = pair(page)
        page.reload()
        page.until(SHOWN)
        assert pair(page) == name

    def test_each_key_decides_on_disk(self, window, server):
        page = begin(window, server)
        wanted = {}
        for key, verdict, relation in (
            ("y", "positive", None),
            ("n", "negative", None),
            ("?", "unsure", None),
            ("e", "positive", "exact"),
            ("c", "positive", "close"),
            ("b", "positive", "broad"),
            ("w", "positive", "narrow"),
            ("r", "positive", "related"),
        ):
            while page.run("document.querySelector('#relations button').disabled"):
                before = pair(page)
                page.press("j")
                page.until(f"location.hash !== '#/decide/{before}'")
            proposed = page.run(f"fetch('/api/pair/{pair(page)}').then(a => a.json())")["relation"]
            wanted[decide(page, key)] = (verdict, relation or proposed)
            assert on_disk(server) == wanted
        assert "8 decided" in page.text("#progress")
        assert len(page.text("#changed").splitlines()) == 2

    def test_no_counterpart_takes_no_relation(self, window, server):
        page = begin(window, server)
        page.run("location.hash = '#/decide/2-none'")
        page.until("location.hash === '#/decide/2-none' && !document.querySelector('#target').href")
        page.press("e")
        time.sleep(0.2)
        assert on_disk(server) == {}
        decide(page, "y")
        assert on_disk(server) == {"2-none": ("positive", "none")}

    def test_undo_brings_the_pair_back(self, window, server):
        page = begin(window, server)
        first = decide(page, "y")
        page.press("u")
        page.until(f"location.hash === '#/decide/{first}'")
        assert on_disk(server) == {}
        line_says(page, "Undone")
        assert decide(page, "n") == first
        assert on_disk(server)[first][0] == "negative"

    def test_reload_and_moves_keep_the_place(self, window, server):
        page = begin(window, server)
        first = pair(page)
        page.press("j")
        page.until(f"location.hash !== '#/decide/{first}'")
        second = pair(page)
        page.reload()
        page.until(SHOWN)
        assert pair(page) == second
        page.press("k")
        page.until(f"location.hash === '#/decide/{first}'")
        page.press("j")
        page.until(f"location.hash === '#/decide/{second}'")
        assert on_disk(server) == {}

    def test_passed_over_pairs_come_last(self, window, serve):
        server = serve("--tags=4")
        page = begin(window, server)
        passed = pair(page)
        page.press("j")
        for _ in range(4):
            page.until(f"location.hash !== '#/decide/{passed}'")
            decide(page, "n")
        decide(page, "n")
        page.until("!document.querySelector('#finished').hidden")
        page.click("#again")
        page.until(f"location.hash === '#/decide/{passed}'")

    def test_the_same_words_name_both_tags_in_chart_buttons_and_list(self, window, server):
        page = begin(window, server)
        page.run("location.hash = '#/decide/24-25'")
        page.until("document.querySelector('#source').href.endsWith('/24')")
        below, above = "a:chanson française", "b:CHANSON FRANÇAISE"
        says = {"b": f"{below} is a kind of {above}", "w": f"{above} is a kind of {below}"}
        chart = page.run("[...document.querySelectorAll('#chart .two')].map(s => s.textContent)")
        assert chart == list(says.values())
        buttons = page.run(
            "[...document.querySelectorAll('#relations button')]"
            ".map(b => [b.firstChild.textContent, b.lastChild.textContent])"
        )
        assert buttons[:3] == [["e", "the same"], ["c", "nearly the same"], ["r", "related"]]
        assert dict(buttons[3:]) == says
        for key, sentence in says.items():
            page.run("location.hash = '#/decide/24-25'")
            page.until("document.querySelector('#source').href.endsWith('/24')")
            decide(page, key)
            page.until("document.querySelector('#line').textContent.startsWith('Saved: yes, ')")
            said = page.text("#line").replace("\u2068", "").replace("\u2069", "")
            assert said == f"Saved: yes, {sentence}."
            page.run("location.hash = '#/list?relation=broad,narrow&state=accepted'")
            row = "document.querySelector('#rows tr:only-child th')?.innerText"
            page.until(f"{row} === {json.dumps(sentence)}")
            page.run("location.hash = '#/decide'")
            page.until("!document.querySelector('#view-decide').hidden")

    def test_names_without_their_systems_where_they_differ(self, window, server):
        page = begin(window, server)
        page.run("location.hash = '#/decide/24-27'")
        page.until("document.querySelector('#source').href.endsWith('/24')")
        names = page.run("[...document.querySelectorAll('#chart bdi')].map(n => n.textContent)")
        assert {*names} == {"chanson française", "ÉLECTRO-POP"}

    def test_what_is_left_says_why(self, window, server):
        page = begin(window, server)
        state = page.run("fetch('/api/state').then(answer => answer.json())")
        assert page.text("#left") == (
            f"{state['to_review']} to review, {state['candidates_unsure']} candidates"
        )
        assert state["left"] == state["to_review"] + state["candidates_unsure"]

    def test_that_more_is_left_says_why(self, window, server):
        page = begin(window, server)
        decide(page, "y")
        (server.folder / "decisions.json").write_text("[]")
        line_says(page, "Open again.")

    def test_keys_are_for_writing_in_a_field(self, window, server):
        page = begin(window, server)
        page.press("/")
        assert page.run("document.activeElement.id") == "search"
        page.press("y")
        time.sleep(0.2)
        assert on_disk(server) == {}
        assert page.run("document.querySelector('#search').value") == "y"

    def test_keys_can_be_switched_off(self, window, server):
        page = begin(window, server)
        page.click("#keys")
        page.press("y")
        time.sleep(0.2)
        assert on_disk(server) == {}
        page.reload()
        page.until(SHOWN)
        assert not page.run("document.querySelector('#keys').checked")
        page.click("#keys")
        decide(page, "y")

    def test_nothing_moves_from_pair_to_pair(self, window, server):
        page = begin(window, server)
        # Pairs with names of usual length: very long ones take a line more.
        spots = []
        for name in ("20-21", "22-23", "24-25"):
            page.run(f"location.hash = '#/decide/{name}'")
            page.until(f"document.querySelector('#source').href.endsWith('/{name.split('-')[0]}')")
            spots.append(
                page.run(
                    "[...document.querySelectorAll('main h2, main h3, footer button')]"
                    ".filter(node => node.offsetParent)"
                    ".map(node => Math.round(node.getBoundingClientRect().top))"
                )
            )
        assert spots[0] == spots[1] == spots[2]


class TestSound:
    def test_sound_comes(self, window, server):
        page = begin(window, server)
        listen(page)
        page.press("2")
        pitch, loud = heard(page)
        track = int(page.run("document.querySelector('#player').src").split("/")[-1].split("?")[0])
        assert pitch == pytest.approx(220 + 10 * (track % 40), abs=8)
        assert loud > 0.1
        decoded = page.run(
            """fetch(document.querySelector("#player").src).then(answer => answer.arrayBuffer())
              .then(bytes => analyser.context.decodeAudioData(bytes))
              .then(sound => [sound.duration,
                sound.getChannelData(0).reduce((a, b) => Math.max(a, b))])"""
        )
        assert decoded == [pytest.approx(3, abs=0.01), pytest.approx(12000 / 32768, abs=0.02)]
        page.press(" ")
        page.until("document.querySelector('#player').paused")
        page.press(" ")
        page.until("document.querySelector('#player').currentTime > 0.1")
        pressed = "document.querySelectorAll('.clip[aria-pressed=true]').length"
        assert page.run(pressed) == 1
        decide(page, "y")
        assert page.run("document.querySelector('#player').paused")
        assert page.run(pressed) == 0

    def test_clip_that_cannot_be_played_is_grey_and_says_why(self, window, server):
        page = begin(window, server)
        grey = (
            "[...document.querySelectorAll('.clip[aria-disabled=true] .what')]"
            ".map(what => what.innerText)"
        )
        assert [text.splitlines()[-1] for text in page.run(grey)] == [
            "missing.mp3 is not in the music folder"
        ]
        page.press("6")
        line_says(page, "missing.mp3 is not in the music folder")
        page.press("5")  # The server finds out only now.
        line_says(page, "13.mp3 cannot be decoded")
        assert len(page.run(grey)) == 2
        decide(page, "y")

    def test_review_goes_on_without_audio(self, window, serve):
        server = serve("--clips=none")
        page = begin(window, server)
        line_says(page, "No clips: No audio was given")
        assert page.run("document.querySelectorAll('.clip').length") == 0
        page.press(" ")
        decide(page, "y")
        assert len(on_disk(server)) == 1
        for view in ("#/decide/0-1", "#/tag/6", "#/list"):
            page.run(f"location.hash = '{view}'")
            page.until(f"!document.querySelector('#view-{view.split('/')[1]}').hidden")
            assert not re.search("audio|clip|listen|play", page.text(), re.IGNORECASE), view

    def test_no_word_of_sound_where_nothing_was_heard(self, window, serve):
        page = begin(window, serve("--unheard"))
        for view in ("#/decide/20-21", "#/list", "#/tag/40", "#/map", "#/tree"):
            go(page, view)
            assert not re.search("sound", page.text(), re.IGNORECASE), view
        go(page, "#/map")
        assert "Drawn by the tracks that tags have in common." in page.text("#map-help")


class TestOthers:
    def test_second_window_sees_decisions_and_overwrites_none(self, window, server):
        first, second = begin(window, server), begin(window, server)
        assert pair(first) == pair(second)
        name = decide(first, "y")
        second.press("n")
        line_says(second, "somebody else decided this pair".capitalize())
        assert pair(second) == name
        assert on_disk(server)[name][0] == "positive"
        second.until("document.querySelector('#note').textContent.includes('accepted')")
        other = decide(first, "n")
        second.until("document.querySelector('#progress').textContent.startsWith('2 decided')")
        assert set(on_disk(server)) == {name, other}

    def test_hand_edit_shows(self, window, server):
        page = begin(window, server)
        row = {"pair": pair(page), "verdict": "negative", "relation": "exact"}
        (server.folder / "decisions.json").write_text(json.dumps([row]))
        line_says(page, "Decided meanwhile by a person: rejected")
        assert "1 decided" in page.text("#progress")

    def test_file_that_does_not_parse_is_not_overwritten(self, window, server):
        page = begin(window, server)
        path = server.folder / "decisions.json"
        path.write_text("oh dear")
        name = pair(page)
        page.press("y")
        line_says(page, "decisions.json: line 1")
        line_says(page, "Not saved yet")
        assert pair(page) == name
        assert path.read_text() == "oh dear"
        path.write_text("[]")
        page.until("!document.querySelector('#line').textContent.includes('line 1')")
        page.click("#resend")
        page.until(f"location.hash !== '#/decide/{name}'")
        assert list(on_disk(server)) == [name]

    def test_server_killed_between_two_decisions(self, window, server):
        page = begin(window, server)
        first = decide(page, "y")
        server.kill()
        second = pair(page)
        page.press("n")
        line_says(page, "The server does not answer. Not saved yet: “no”.")
        page.press("j")
        assert pair(page) == second
        assert page.run("document.querySelectorAll('button.sent').length") == 1
        server.start()
        line_says(page, "This window is locked")  # The new server has a new token.
        window(server.address).until(SHOWN)
        page.until("!document.querySelector('#resend').hidden")
        assert list(on_disk(server)) == [first]
        page.click("#resend")
        page.until(f"location.hash !== '#/decide/{second}'")
        assert list(on_disk(server)) == [first, second]
        line_says(page, "Saved: no.")

    def test_server_that_dies_after_it_wrote_is_asked_before_sending_again(self, window, server):
        page = begin(window, server)
        name = pair(page)
        (server.folder / "die").touch()
        page.press("y")
        line_says(page, "Not saved yet")
        (server.folder / "die").unlink()
        server.kill()
        server.start()
        window(server.address).until(SHOWN)
        line_says(page, "Saved: yes")
        page.until(f"location.hash !== '#/decide/{name}'")
        assert list(on_disk(server)) == [name]

    def test_reload_keeps_a_decision_that_was_not_saved(self, window, server):
        page = begin(window, server)
        decide(page, "y")
        name = pair(page)
        server.kill()
        page.press("n")
        line_says(page, "Not saved yet")
        server.start()
        page.open(server.address)
        page.until(f"location.hash === '#/decide/{name}'")
        line_says(page, "Not saved yet: “no”.")
        page.press("n")
        page.until(f"location.hash !== '#/decide/{name}'")
        assert on_disk(server)[name][0] == "negative"


class TestOtherViews:
    def test_list_filters_and_sorts(self, window, server):
        page = begin(window, server)
        go(page, "#/list")
        assert page.text("#count") == "90 pairs"
        page.run(
            """(() => {
              const form = document.querySelector("#filter");
              form.elements.relation.value = "exact";
              form.elements.low.value = "60";
              form.elements.sort.value = "confidence";
              form.dispatchEvent(new Event("input"));
            })()"""
        )
        page.until("!document.querySelector('#count').textContent.includes('90')")
        shares = page.run(
            "[...document.querySelectorAll('#rows .n')].map(cell => parseInt(cell.innerText))"
        )
        assert shares == sorted(shares, reverse=True)
        assert min(shares) >= 60
        relations = page.run(
            "[...document.querySelectorAll('#rows .relation')].map(cell => cell.innerText.trim())"
        )
        assert set(relations) == {"is the same as"}
        count = page.text("#count")
        page.reload()
        page.until("document.querySelectorAll('#rows tr').length")
        assert page.text("#count") == count

    def test_filter_that_the_server_refuses(self, window, server):
        page = begin(window, server)
        go(page, "#/list")
        page.click("[name=low]")
        page.write("200")
        page.until("document.querySelector('#count').textContent.includes('from 0 to 1')")
        page.run("document.activeElement.select()")
        page.write("20")
        page.until("document.querySelector('#count').textContent.includes('pair')")

    def test_many_are_decided_after_a_preview(self, window, server):
        page = begin(window, server)
        go(page, "#/list")
        for row in (1, 2, 3):
            page.click(f"#rows tr:nth-child({row}) input")
        assert page.text("#chosen") == "3 chosen"
        page.click("[data-many=positive]")
        page.until("document.querySelector('#preview').open")
        assert len(page.text("#would").splitlines()) == 3
        page.press("Escape")
        assert on_disk(server) == {}
        page.click("[data-many=positive]")
        page.until("document.querySelector('#preview').open")
        page.click("#do-it")
        line_says(page, "Saved")
        assert [verdict for verdict, _ in on_disk(server).values()] == ["positive"] * 3
        page.until("document.querySelectorAll('#rows .state-accepted').length === 3")

    def test_tag_is_found_renamed_blocked_and_split(self, window, server):
        page = begin(window, server)
        page.press("/")
        page.write("shoegaze")
        page.until("document.querySelectorAll('#found a').length === 2")
        page.press("Enter")
        page.until("document.querySelector('#tag-title').textContent === 'a:shoegaze'")
        note = "document.querySelector('#tag-note').textContent"
        page.click("#block")
        page.until(f"{note}.includes('blocked')")
        assert page.text("#block").startswith("Unblock")
        page.click("#split")
        page.until("document.querySelector('#split').textContent.startsWith('Keep')")
        assert page.run("[...document.querySelectorAll('#names option')].map(o => o.value)") == [
            "a:krautrock"
        ]
        page.click("#rename input")
        page.write("b:HIGHLIFE")
        page.press("Enter")
        why = "document.querySelector('#rename-error').textContent"
        page.until(f"{why}.includes('is another tag')")
        assert page.run("document.activeElement.value") == "b:HIGHLIFE"
        page.run("document.activeElement.value = ''")
        page.write("Dream Pop")
        page.until(f"!{why}")
        page.press("Enter")
        page.until(f"{note}.includes('a:Dream Pop')")
        line_says(page, "Saved")
        page.click("#undo")
        page.until(f"!{note}.includes('a:Dream Pop')")
        line_says(page, "Undone: canonical of a:shoegaze.")
        page.run("document.activeElement.blur()")
        page.press("u")
        page.until("document.querySelector('#split').textContent.startsWith('Split')")
        page.press("u")
        page.until(f"!{note} && document.querySelector('#undo').disabled")

    def test_map_opens_a_tag_by_key_and_by_click(self, window, server):
        page = begin(window, server)
        go(page, "#/map")
        page.run("document.querySelector('#map').focus()")
        page.press("ArrowRight")
        first = page.text("#map-at")
        page.press("ArrowRight")
        page.until(f"document.querySelector('#map-at').innerText !== {json.dumps(first)}")
        name = page.run("document.querySelector('#map-at bdi').textContent")
        page.press("Enter")
        page.until(f"document.querySelector('#tag-title').textContent === {json.dumps(name)}")
        go(page, "#/map")
        before = page.run("document.querySelector('#map circle').getAttribute('cx')")
        page.click("#zoom-in")
        page.until(f"document.querySelector('#map circle').getAttribute('cx') !== '{before}'")
        page.click("#zoom-all")
        page.until(f"document.querySelector('#map circle').getAttribute('cx') === '{before}'")
        page.click("#map circle:last-of-type")
        page.until("location.hash.startsWith('#/tag/')")

    def test_tree_folds_and_shows_where_the_sound_disagrees(self, window, server):
        page = begin(window, server)
        go(page, "#/tree")
        visible = "[...document.querySelectorAll('#tree li')].filter(n => n.offsetHeight).length"
        first = page.run(visible)
        page.click("#tree .fold")
        assert page.run(visible) == first - 3
        page.click("#open-all")
        assert page.run(visible) == page.run("document.querySelectorAll('#tree li').length")
        page.click("#disputed")
        leaves = page.run(
            "[...document.querySelectorAll('#tree li')].filter(n => !n.querySelector('li'))"
            ".every(n => n.querySelector('.warn'))"
        )
        assert leaves

    def test_hostile_names_are_only_text(self, window, server):
        page = begin(window, server)
        for name in ("#/decide/4-5", *VIEWS):
            page.run(f"location.hash = '{name}'")
            time.sleep(0.2)
            assert page.run("document.querySelectorAll('img, b *, i, body script').length") == 0
            assert page.run("window.hacked") is None
        assert "</script><script>" in page.text("#tree")


class TestLooks:
    @pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
    @pytest.mark.parametrize("size", SIZES, ids=[str(width) for width, _ in SIZES])
    def test_axe_finds_nothing(self, window, server, axe, size, dark):
        page = begin(window, server)
        page.look(*size, dark)
        page.run(axe + "; 0")
        for view in (*VIEWS, "#/decide/34-35", "#/decide/14-15"):
            go(page, view)
            beyond = (
                f"[...document.querySelectorAll('body *')].filter(node => node.offsetParent"
                f" && node.getBoundingClientRect().right > {size[0]}).map(node => node.outerHTML)"
            )
            assert page.run(beyond) == [], view
            found = page.run(
                "axe.run().then(({violations}) => violations.map(({id, nodes}) =>"
                " [id, ...nodes.map(node => node.html.slice(0, 200))]))"
            )
            assert found == [], view
        page.run("document.querySelector('#preview').showModal()")
        page.run("document.querySelector('#preview-title').textContent = 'Accept 2 pairs?'")
        script = "axe.run('#preview').then(({violations}) => violations.map(({id}) => id))"
        assert page.run(script) == []

    @pytest.mark.parametrize("view", VIEWS)
    def test_keyboard_reaches_everything_and_focus_is_seen(self, window, server, view):
        page = begin(window, server)
        go(page, view)
        page.run("document.activeElement.blur()")
        wanted = page.run(
            "[...document.querySelectorAll('a[href], button:enabled, input, select, #map')]"
            ".filter(node => node.checkVisibility() && node.offsetParent).length"
        )
        seen = 0
        for _ in range(wanted + 2):
            page.press("Tab")
            found = page.run(
                """(() => {
                  const node = document.activeElement;
                  if (node === document.body || node.dataset.seen) return null;
                  node.dataset.seen = "yes";
                  const box = node.getClientRects()[0];
                  const top = document.elementFromPoint(
                    box.left + Math.min(box.width, 20) / 2, box.top + Math.min(box.height, 16) / 2);
                  return [getComputedStyle(node).outlineStyle, node.outerHTML.slice(0, 120),
                    Boolean(top && (node.contains(top) || top.contains(node)))];
                })()"""
            )
            if found:
                seen += 1
                assert found[0] != "none", found
                assert found[2], f"hidden behind something: {found[1]}"
        assert seen >= wanted

    @pytest.mark.skipif("TAGJAX_PICTURES" not in os.environ, reason="set TAGJAX_PICTURES=folder")
    def test_pictures(self, window, server):
        """Pictures of all views, to look at."""
        folder = pathlib.Path(os.environ["TAGJAX_PICTURES"])
        folder.mkdir(parents=True, exist_ok=True)
        page = begin(window, server)
        for width, height in SIZES:
            for dark in (False, True):
                page.look(width, height, dark)
                for view in (*VIEWS, "#/decide/14-15"):
                    page.run(f"location.hash = '{view}'")
                    time.sleep(0.3)
                    name = view[2:].replace("/", "-")
                    path = folder / f"{name}-{width}-{'dark' if dark else 'light'}.png"
                    page.picture(path)
                    assert path.read_bytes().startswith(b"\x89PNG")
