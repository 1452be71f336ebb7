"""The identity key is made once and never again: without it everyone known would be a stranger."""

from pathlib import Path

import pytest

from services.ingest.domain.identity import Identity
from services.ingest.spool.file import claim
from services.ingest.spool.identity_key import check_same_key, identity_key
from services.ingest.spool.writer import Spool
from shared.clock import SystemClock, new_id
from shared.domain.errors import Misconfigured
from shared.settings import Settings, read


def settings(folder: Path, **more: str) -> Settings:
    return read(Settings, {"BATON_DATA": str(folder), **more})


async def used(folder: Path, key: bytes) -> None:
    """Start and stop a spool in this folder, as ingest does."""
    file, _ = claim(folder, max_bytes=2**30)
    spool = Spool(file, SystemClock(), new_id, max_rows=10, free_bytes=0)
    await spool.start()
    try:
        await check_same_key(spool, Identity(key))
    finally:
        await spool.close()


async def test_a_key_is_made_for_a_new_folder_and_found_again(tmp_path: Path) -> None:
    key = identity_key(settings(tmp_path / "data"))
    await used(tmp_path / "data", key)
    assert identity_key(settings(tmp_path / "data")) == key
    await used(tmp_path / "data", key)


async def test_without_its_key_a_folder_with_data_is_refused(tmp_path: Path) -> None:
    key = identity_key(settings(tmp_path))
    await used(tmp_path, key)
    (tmp_path / "identity.key").unlink()
    with pytest.raises(Misconfigured, match=r"identity.key is missing, .* Restore the file .* BATON_IDENTITY_KEY"):
        identity_key(settings(tmp_path))
    assert not (tmp_path / "identity.key").exists()
    await used(tmp_path, identity_key(settings(tmp_path, BATON_IDENTITY_KEY=key.decode())))


def test_no_key_is_made_where_one_was_even_if_the_spools_are_gone_too(tmp_path: Path) -> None:
    key = identity_key(settings(tmp_path))
    (tmp_path / "identity.key").unlink()
    with pytest.raises(Misconfigured, match=r"identity.key is missing"):
        identity_key(settings(tmp_path))
    (tmp_path / "identity.key").write_bytes(key)
    assert identity_key(settings(tmp_path)) == key


@pytest.mark.parametrize("weak", ["short", "a" * 40])
def test_a_weak_key_is_refused_for_a_new_installation_and_stays_for_one_with_data(tmp_path: Path, weak: str) -> None:
    with pytest.raises(Misconfigured, match=r"BATON_IDENTITY_KEY .* 'openssl rand"):
        identity_key(settings(tmp_path, BATON_IDENTITY_KEY=weak))
    (tmp_path / "spool-0.db").touch()
    assert identity_key(settings(tmp_path, BATON_IDENTITY_KEY=weak)) == weak.encode()


async def test_data_that_was_made_with_another_key_is_refused(tmp_path: Path) -> None:
    key = identity_key(settings(tmp_path))
    await used(tmp_path, key)
    (tmp_path / "identity.key").write_bytes(key[:-4])
    with pytest.raises(Misconfigured, match=r"not the one that the data in .* was created with"):
        await used(tmp_path, identity_key(settings(tmp_path)))


@pytest.mark.parametrize("content", [b"", b"short", b"\n\n"])
def test_a_key_that_was_cut_off_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "identity.key").write_bytes(content)
    with pytest.raises(Misconfigured, match="fewer than 16 characters"):
        identity_key(settings(tmp_path))


def test_what_can_not_be_read_is_refused_with_the_setting_that_helps(tmp_path: Path) -> None:
    (tmp_path / "identity.key").mkdir()
    with pytest.raises(Misconfigured, match="BATON_IDENTITY_KEY"):
        identity_key(settings(tmp_path))
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match="BATON_DATA"):
        identity_key(settings(tmp_path / "file"))
