"""The log as a monitor reads it over HTTP: a signed end, tiles that lead to it, entries for who may."""

import pytest
from hri.checkpoint import Checkpoint
from hri.transparency.merkle import leaf_hash
from hri.transparency.tiles import root_of, unbundle
from unit.logs.conftest import KEYS, issue
from unit.server.serving import bearer

AUDITOR = bearer("auditor")
_SIZE = 300


@pytest.fixture(autouse=True)
def _logged(context):
    for begin in range(0, _SIZE, 50):
        issue(context.registry, range(begin, begin + 50), context.recorder)


def test_the_signed_root_is_that_of_the_tiles(client):
    def tile(level, index):
        path = f"/log/tile/{level}/{index:03}"
        found = client.get(path)
        if found.status_code == 404:
            width = (_SIZE >> (8 * level)) - index * 256
            found = client.get(f"{path}.p/{width}")
        assert found.status_code == 200
        return found.content

    answer = client.get("/log/checkpoint")

    end = Checkpoint.opened(answer.text, KEYS.certificates.verifier)
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert end.size == _SIZE
    assert root_of(end.size, tile) == end.digest


def test_the_entries_are_those_of_the_tile(client):
    entries = client.get("/log/tile/entries/000", headers=AUDITOR)

    hashes = client.get("/log/tile/0/000").content
    assert b"".join(map(leaf_hash, unbundle(entries.content))) == hashes


def test_a_tile_is_kept_for_ever_and_the_checkpoint_is_not(client):
    tile = client.get("/log/tile/0/001.p/44")
    entries = client.get("/log/tile/entries/001.p/44", headers=AUDITOR)
    checkpoint = client.get("/log/checkpoint")

    assert tile.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert entries.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert checkpoint.headers["Cache-Control"] == "max-age=5"
    assert {item.headers["Content-Type"] for item in (tile, entries)} == {"application/octet-stream"}


def test_an_older_partial_tile_stays_what_it_was(client):
    wide, narrow = client.get("/log/tile/0/001.p/44"), client.get("/log/tile/0/001.p/7")

    assert narrow.content == wide.content[: 7 * 32]
    assert narrow.headers["ETag"] != wide.headers["ETag"]


def test_who_has_the_checkpoint_gets_it_again_only_when_it_is_another(client, context):
    etag = {"If-None-Match": client.get("/log/checkpoint").headers["ETag"]}

    same = client.get("/log/checkpoint", headers=etag)
    issue(context.registry, range(_SIZE, _SIZE + 1), context.recorder)
    other = client.get("/log/checkpoint", headers=etag)

    assert (same.status_code, other.status_code) == (304, 200)


@pytest.mark.parametrize(
    "path",
    [
        "0/001",
        "0/001.p/45",
        "0/002",
        "1/000",
        "1/000.p/2",
        "2/000.p/1",
        "0/1",
        "0/000.p/0",
        "64/000",
    ],
)
def test_what_the_signed_tree_does_not_have_is_not_there(client, path):
    answer = client.get(f"/log/tile/{path}")

    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


def test_entries_name_devices_and_are_not_for_everybody(client):
    assert client.get("/log/tile/entries/000").status_code == 401
    assert client.get("/log/tile/%65ntries/000").status_code == 401
    assert client.get("/log/tile/0/../entries/000").status_code in (401, 404)


def test_a_log_that_somebody_changed_is_not_published(client, context):
    registry = context.registry
    with registry._write() as connection:
        connection.exec_driver_sql("UPDATE certificate SET der = x'00' WHERE log_index = 3")

    answer = client.get("/log/tile/entries/000", headers=AUDITOR)

    assert (answer.status_code, answer.json()["code"]) == (503, "log-damaged")
