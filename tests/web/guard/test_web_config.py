"""The door that counts, whenever its files change: also while another one is being put in."""

import time
from functools import partial
from pathlib import Path

import pytest

from exporter.runtime import from_settings
from exporter.settings import Settings
from exporter.web.guard.web_config import RESTART, RETRY, Door, DoorError, Doorkeeper
from tests.web.guard.guarded import WebFile, hashed


class Clock:
    """Time that stands still until it is changed."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def web_file(tmp_path: Path) -> WebFile:
    web_file = WebFile(tmp_path)
    web_file.write(basic_auth_users={"first": hashed("pw")})
    return web_file


def settings(web_file: WebFile | None) -> Settings:
    web = {"config_file": str(web_file.path)} if web_file else {}
    return Settings.model_validate({"web": web})


def reading(web_file: WebFile | None) -> partial[Door]:
    return partial(from_settings.door, settings(web_file))


def keeper_of(web_file: WebFile | None, monotonic: Clock | None = None) -> Doorkeeper:
    # So late that no change is recent, and every one of them must show by itself.
    late = Clock(time.time() + 1000)
    return Doorkeeper(reading(web_file), wall=late, monotonic=monotonic or Clock(0.0))


def test_a_change_between_making_a_door_and_putting_it_in_is_seen(web_file: WebFile) -> None:
    keeper, read = keeper_of(None), reading(web_file)
    prepared = keeper.prepare(read)
    assert not keeper.door().users
    web_file.write(basic_auth_users={"second": hashed("pw")})
    keeper.commit(read, prepared)
    assert list(keeper.door().users) == ["second"]


def test_a_door_is_made_once_for_the_same_files(web_file: WebFile) -> None:
    keeper = keeper_of(web_file)
    before = keeper.door()
    assert keeper.door() is before
    web_file.path.touch()
    assert keeper.door() is before
    web_file.write(basic_auth_users={"second": hashed("pw")})
    assert keeper.door() is not before


def test_what_was_refused_is_tried_again_though_its_own_file_stays(web_file: WebFile) -> None:
    monotonic = Clock(0.0)
    web_file.write(tls_server_config=web_file.issue())
    keeper = keeper_of(web_file, monotonic)
    # Of the new names, no file is watched yet.
    web_file.write(tls_server_config={"cert_file": "later.pem", "key_file": "later.key"})
    assert keeper.door().files[1].name == "server.pem"
    web_file.issue("later")
    monotonic.now += RETRY
    assert keeper.door().files[1].name == "later.pem"


def test_whether_tls_is_spoken_cannot_change(web_file: WebFile) -> None:
    keeper = keeper_of(web_file)
    web_file.write(tls_server_config=web_file.issue())
    with pytest.raises(DoorError, match=RESTART):
        keeper.prepare(reading(web_file))


def test_no_hash_shows_in_what_is_printed(web_file: WebFile) -> None:
    stored = hashed("pw")
    web_file.write(basic_auth_users={"a": stored})
    assert stored not in repr(keeper_of(web_file).door())
