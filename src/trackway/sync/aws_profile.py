"""What Amazon's own tools know on this machine: profiles in `~/.aws/credentials` and `~/.aws/config`.

The library that speaks to stores knows the environment and the roles of instances, and no files.
"""

from __future__ import annotations

import configparser
import json
import shlex
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from trackway.clock import SYSTEM_CLOCK, Clock
from trackway.errors import StoreError

# Whoever renews keys writes the file anew; it is read again after this time.
_HOLD_S: Final = 300.0
_PROCESS_S: Final = 60.0
# An environment that tells of keys, or how to get them, is what Amazon's tools ask before the files.
_KEYS: Final = {"AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE"}


class Profile:
    """A profile of this user, as a source of credentials."""

    def __init__(self, environ: Mapping[str, str], clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        named = environ.get("AWS_PROFILE") or environ.get("AWS_DEFAULT_PROFILE")
        self.name, self._asked_for = named or "default", named is not None
        home = Path.home() / ".aws"
        self._credentials = Path(environ.get("AWS_SHARED_CREDENTIALS_FILE", home / "credentials"))
        self._config = Path(environ.get("AWS_CONFIG_FILE", home / "config"))

    def settings(self) -> dict[str, str]:
        """Everything that both files say of it.

        Raises:
            StoreError: One of them cannot be read.
        """
        section = self.name if self.name == "default" else f"profile {self.name}"
        return _section(self._config, section) | _section(self._credentials, self.name)

    def gives_credentials(self) -> bool:
        """Whether there are keys, or a command that tells them.

        Raises:
            StoreError: There are none although the profile was asked for by name.
        """
        told = self.settings()
        if "aws_access_key_id" in told or "credential_process" in told:
            return True
        if self._asked_for:
            export = f"aws configure export-credentials --profile {self.name}"
            raise StoreError(
                f"the profile {self.name!r} of {self._credentials.parent} holds no keys: give it "
                f"credential_process = {export}, or put them into the environment with "
                f'eval "$({export} --format env)"'
            )
        return False

    def __call__(self) -> dict[str, Any]:
        """Keys, and until when they hold.

        Raises:
            StoreError: There are none any more.
        """
        told = self.settings()
        until = datetime.fromtimestamp(self._clock.unix_s() + _HOLD_S, UTC)
        if "aws_access_key_id" in told:
            return {
                "access_key_id": told["aws_access_key_id"],
                "secret_access_key": told.get("aws_secret_access_key", ""),
                "token": told.get("aws_session_token"),
                "expires_at": until,
            }
        if "credential_process" not in told:
            raise StoreError(f"the profile {self.name!r} of {self._credentials.parent} has no keys")
        made = _run(told["credential_process"])
        expires = made.get("Expiration")
        return {
            "access_key_id": made["AccessKeyId"],
            "secret_access_key": made["SecretAccessKey"],
            "token": made.get("SessionToken"),
            "expires_at": datetime.fromisoformat(expires) if expires else until,
        }


def _section(path: Path, name: str) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read(path)
    except (configparser.Error, OSError, UnicodeDecodeError) as error:
        # Its message would quote a line, which may be a secret.
        raise StoreError(f"{path} cannot be read: {type(error).__name__}") from None
    return dict(parser[name]) if parser.has_section(name) else {}


def _run(command: str) -> dict[str, Any]:
    try:
        done = subprocess.run(
            shlex.split(command), capture_output=True, check=True, timeout=_PROCESS_S
        )
        made: dict[str, Any] = json.loads(done.stdout)
        made["AccessKeyId"], made["SecretAccessKey"]
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"credential_process failed: {type(error).__name__}") from None
    return made


def profile_options(environ: Mapping[str, str]) -> dict[str, Any]:
    """What a client of S3 is told of the profile where the environment does not say it.

    Raises:
        StoreError: A profile is asked for that has no keys, or a file cannot be read.
    """
    profile = Profile(environ)
    told = profile.settings()
    options: dict[str, Any] = {}
    if not _KEYS & environ.keys() and profile.gives_credentials():
        options["credential_provider"] = profile
    if "region" in told and not {"AWS_REGION", "AWS_DEFAULT_REGION"} & environ.keys():
        options["region"] = told["region"]
    if "endpoint_url" in told and not any(name.startswith("AWS_ENDPOINT") for name in environ):
        options["endpoint"] = told["endpoint_url"]
    return options
