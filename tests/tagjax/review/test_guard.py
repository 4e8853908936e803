"""Attacks: refused, and the server goes on."""

import json

import pytest
from reviewed import EVIL, HOST, TestClient

from tagjax.reconcile.people import VERDICTS, path_of

DECIDE = {"pair": "0-8", "verdict": "positive", "relation": "exact", "version": 10**6}


@pytest.fixture
def before(review):
    """The files of people must be as they were, and the page go on."""
    yield
    for verdict in VERDICTS:
        assert path_of(review.store.folder, verdict).read_bytes().count(b"\n") == 4
    assert review.window().state()["decided"] == 0


def test_without_the_token_nothing_is_told(review, before):
    client = TestClient(review.guard, base_url=HOST)
    for path in ("/", "/?token=wrong", "/api/state", "/clip/0", "/static/review.js", "/?token="):
        assert client.get(path, follow_redirects=False).status_code == 403
    client.cookies.set("tagjax_review_8765", "wrong")
    assert client.get("/api/state").status_code == 403
    assert client.post("/api/decide", json=DECIDE).status_code == 403


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8765", "127.0.0.1", "localhost:1"])
def test_another_host_is_refused(review, window, before, host):
    assert window.client.get("/api/state", headers={"Host": host}).status_code == 403


def test_localhost_is_this_machine(review, window):
    assert window.client.get("/api/state", headers={"Host": "localhost:8765"}).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:8766", ""])
def test_another_origin_is_refused(window, before, origin):
    assert window.post("/api/decide", DECIDE, Origin=origin).status_code == 403
    assert window.client.get("/api/state", headers={"Origin": origin}).status_code == 403


def test_another_site_is_refused_even_without_an_origin(window, before):
    headers = {"Sec-Fetch-Site": "cross-site"}
    assert window.client.get("/clip/0", headers=headers).status_code == 403


def test_a_form_of_another_page_is_refused(window, before):
    text = json.dumps(DECIDE)
    post = window.client.post
    assert post("/api/decide", content=text).status_code == 403
    assert post("/api/decide", content=text, headers={"X-Tagjax": "1"}).status_code == 415
    kind = {"X-Tagjax": "1", "Content-Type": "text/plain"}
    assert post("/api/decide", content=text, headers=kind).status_code == 415
    assert window.client.put("/api/decide", json=DECIDE).status_code == 405
    assert window.client.get("/api/decide").status_code == 405


def test_large_bodies_are_refused_whether_they_say_so_or_not(window, before):
    kind = {"X-Tagjax": "1", "Content-Type": "application/json"}
    body = b" " * (10 << 20)
    assert window.client.post("/api/decide", content=body, headers=kind).status_code == 413
    pieces = (b" " * (1 << 16) for _ in range(160))
    assert window.client.post("/api/decide", content=pieces, headers=kind).status_code == 413


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"null", b"{", b"\xff", b"[" * 60_000, b'{"pair": "0-8"}',
        b'{"pair": 3, "verdict": "positive", "relation": "exact", "version": 1}',
        b'{"pair": "0-8", "verdict": "yes", "relation": "exact", "version": 1}',
        b'{"pair": "0-8", "verdict": "positive", "relation": "../x", "version": 1}',
        b'{"pair": "0-8", "verdict": "positive", "relation": "exact", "version": "1"}',
        b'{"pair": "0-8", "verdict": ["positive"], "relation": {}, "version": 1}',
    ],
)  # fmt: skip
def test_nonsense_is_refused(window, before, body):
    kind = {"X-Tagjax": "1", "Content-Type": "application/json"}
    answer = window.client.post("/api/decide", content=body, headers=kind)
    assert answer.status_code == 400
    assert answer.json()["error"]


@pytest.mark.parametrize(
    "path",
    [
        "/clip/..%2f..%2fetc%2fpasswd", "/clip/-1", "/clip/99999999999999999999", "/clip/٣",
        "/clip/0?start=nan", "/clip/0?start=-5", "/clip/0?start=1e99", "/static/..%2fapp.py",
        "/static/%2e%2e", "/static/%00", "/api/pair/0", "/api/pair/0-0", "/api/pair/0-999",
        "/api/pair/../../x", "/api/tag/-1", "/api/tag/1e1", "/api/pairs?state=x",
        "/api/pairs?low=2", "/api/pairs?offset=-1", "/api/pairs?sort=x", "/etc/passwd",
    ],
)  # fmt: skip
def test_ids_that_do_not_exist_are_refused(window, before, path):
    answer = window.get(path)
    assert answer.status_code in (400, 404)
    assert "root:" not in answer.text


def test_html_in_names_stays_text(window):
    (tag,) = window.get("/api/tags?q=onerror").json()["tags"][:1]
    assert tag["name"].endswith(EVIL)
    answer = window.get(f"/api/tag/{tag['id']}")
    assert answer.headers["content-type"] == "application/json"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_cookie_is_for_this_server_alone(review):
    client = TestClient(review.guard, base_url=HOST)
    answer = client.get("/?token=secret", follow_redirects=False)
    assert answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"]
    assert all(word in cookie for word in ("HttpOnly", "SameSite=Strict", "Path=/"))
