"""Who gets in: who has the link, by a name of this machine; nobody else, and no page of another site."""

import re

import pytest

from curation.audit.serve.gate import COOKIE, Session, _same


def test_the_link_gives_a_cookie_of_a_place_that_nobody_knows(client, served):
    session = served[2]
    assert session.link(8123) == f"http://127.0.0.1:8123/?token={session.token}"
    found = client.get(session.link(8123), follow_redirects=False)
    assert (found.status_code, found.headers["location"]) == (303, f"/{session.place}/")
    cookie = found.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}={session.cookie};")
    assert {"httponly", f"path=/{session.place}/", "samesite=lax"} <= {
        part.strip().lower() for part in cookie.split(";")
    }
    page = client.get(f"/{session.place}/")
    assert (page.status_code, "app.js" in page.text) == (200, True)
    assert session.token not in page.text + str(page.headers)


@pytest.mark.parametrize("token", ["", "x", "\ud800", "\u00e9"])
def test_without_the_token_there_is_nothing(client, served, token):
    place = served[2].place
    for path in ("/", f"/{place}/", f"/{place}/data/meta.js", f"/{place}/app.js"):
        assert client.get(path).status_code == 403
        assert client.get(path, params={"token": token.encode(errors="surrogatepass")}).status_code == 403
        assert (
            client.get(path, headers={"authorization": b"Bearer " + token.encode(errors="replace")}).status_code == 403
        )
        assert client.get(path, headers={"cookie": f"{COOKIE}={served[2].token}"}).status_code == 403
    assert client.post(f"/{place}/query", json={"sql": "SELECT 1"}).status_code == 403
    assert client.get(f"/{place}/", params={"token": served[2].token}).status_code == 403, (
        "the token opens the root only"
    )


def test_a_header_does_instead_of_a_cookie(client, served):
    headers = {"authorization": f"Bearer {served[2].token}"}
    found = client.post(f"/{served[2].place}/query", json={"sql": "SELECT 1 AS one"}, headers=headers)
    assert found.json()["rows"] == [[1]]


@pytest.mark.parametrize(
    ("host", "is_answered"),
    [
        ("127.0.0.1:8123", True),
        ("localhost:9000", True),
        ("LOCALHOST", True),
        ("[::1]:8123", True),
        ("attacker.example:8123", False),
        ("127.0.0.1.attacker.example", False),
        ("attacker.example@127.0.0.1", True),
        ("0.0.0.0:8123", False),
        ("", False),
        ("[", False),
    ],
)
def test_names_of_other_machines_are_refused(user, host, is_answered):
    found = user.get("", headers={"host": host})
    assert (found.status_code == 200) is is_answered, found.text
    assert found.status_code in {200, 421}


@pytest.mark.parametrize(
    "origin", ["https://attacker.example", "null", "http://127.0.0.1:9999", "http://localhost:8123"]
)
def test_pages_of_other_sites_are_refused(user, origin):
    assert user.post("query", json={"sql": "SELECT 1"}, headers={"origin": origin}).status_code == 421
    assert user.post("query", json={"sql": "SELECT 1"}, headers={"origin": "http://127.0.0.1:8123"}).status_code == 200
    preflight = user.options("query", headers={"origin": origin, "access-control-request-method": "POST"})
    assert preflight.status_code == 421
    assert not [name for name in preflight.headers if name.startswith("access-control-")]


def test_forms_of_other_pages_are_no_questions(user):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        found = user.post("query", content='{"sql": "SELECT 1"}', headers={"content-type": kind})
        assert found.status_code == 422


def test_every_answer_has_the_headers_of_a_careful_server(user, client, served):
    for found in (user.get(""), user.get("nothing"), client.get("/"), user.post("query", json={"sql": "x"})):
        policy = found.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert not re.search("unsafe|https?:|\\*", policy)
        assert found.headers["x-content-type-options"] == "nosniff"
        assert found.headers["referrer-policy"] == "no-referrer"
        assert found.headers["cache-control"] == "no-store"
        assert found.headers["cross-origin-resource-policy"] == "same-origin"
        assert not [name for name in found.headers if name.startswith("access-control-")]


def test_secrets_are_of_each_session_and_are_not_shown():
    one, other = Session(), Session()
    assert len({one.token, other.token, one.cookie, other.cookie}) == 4
    assert one.token not in repr(one)
    assert len(one.token) >= 40
    assert _same(one.token, one.token)
    assert not _same(one.token[:-1], one.token)
