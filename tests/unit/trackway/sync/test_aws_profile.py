"""Keys from where Amazon's own tools keep them."""

from __future__ import annotations

import json
import sys

import pytest
from tests.support.clock import FakeClock

from trackway.errors import StoreError
from trackway.sync.aws_profile import Profile, profile_options

CREDENTIALS = """\
[default]
aws_access_key_id = first
aws_secret_access_key = one

[lab]
aws_access_key_id = second
aws_secret_access_key = tw%o
aws_session_token = token
"""
CONFIG = """\
[default]
region = eu-west-1

[profile lab]
region = ap-northeast-2
endpoint_url = http://127.0.0.1:1

[profile empty]
sso_session = company
"""


@pytest.fixture
def environ(tmp_path):
    (tmp_path / "credentials").write_text(CREDENTIALS)
    (tmp_path / "config").write_text(CONFIG)
    return {
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
    }


def keys(options):
    told = options["credential_provider"]()
    return told["access_key_id"], told["secret_access_key"], told["token"]


def test_the_profile_that_is_named_is_taken_with_its_region_and_address(environ):
    assert keys(profile_options(environ)) == ("first", "one", None)
    assert profile_options(environ)["region"] == "eu-west-1"
    found = profile_options(environ | {"AWS_PROFILE": "lab"})
    assert keys(found) == ("second", "tw%o", "token")
    assert (found["region"], found["endpoint"]) == ("ap-northeast-2", "http://127.0.0.1:1")


def test_what_the_environment_says_comes_first(environ):
    said = {"AWS_ACCESS_KEY_ID": "x", "AWS_REGION": "y", "AWS_ENDPOINT_URL": "z"}

    assert profile_options(environ | said | {"AWS_PROFILE": "lab"}) == {}
    nowhere = {"AWS_SHARED_CREDENTIALS_FILE": "/no/file", "AWS_CONFIG_FILE": "/no/file"}
    assert profile_options(nowhere) == {}


def test_keys_that_were_renewed_are_read_again(environ, tmp_path):
    profile = Profile(environ, FakeClock(1000.0))
    before = profile()
    (tmp_path / "credentials").write_text(CREDENTIALS.replace("first", "renewed"))

    assert before["expires_at"].timestamp() == 1300.0
    assert profile()["access_key_id"] == "renewed"


def test_a_command_may_tell_them_and_until_when(environ, tmp_path):
    told = {
        "Version": 1, "AccessKeyId": "a", "SecretAccessKey": "b", "Expiration": "2030-01-01T00:00:00Z",
    }  # fmt: skip
    (tmp_path / "told.json").write_text(json.dumps(told))
    command = f"{sys.executable} -c \"print(open('{tmp_path}/told.json').read())\""
    (tmp_path / "config").write_text(f"[profile made]\ncredential_process = {command}\n")

    found = profile_options(environ | {"AWS_PROFILE": "made"})["credential_provider"]()

    assert (found["access_key_id"], found["expires_at"].year) == ("a", 2030)


def test_a_profile_without_keys_is_told_how_to_get_them_and_no_secret_is_told(environ, tmp_path):
    with pytest.raises(StoreError, match="aws configure export-credentials --profile empty"):
        profile_options(environ | {"AWS_PROFILE": "empty"})
    (tmp_path / "credentials").write_text("[default]\nVERY SECRET\n")
    with pytest.raises(StoreError) as error:
        profile_options(environ)
    assert "SECRET" not in str(error.value)
