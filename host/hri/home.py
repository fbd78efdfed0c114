"""The home folder: configuration, authority, registry and published lists, opened as a command needs them.

HOME/config.yaml, HOME/ca/, HOME/hri.db (or HRI_DATABASE_URL), HOME/crl/.
"""

from __future__ import annotations

import os
import pwd
import socket
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from hri.acts import begin_logs, begin_with_new_keys, record_configuration
from hri.audit.recorder import Recorder
from hri.ca.files import read_input
from hri.ca.hierarchy import Hierarchy
from hri.ca.keyring import Keyring
from hri.ca.log_keys import open_log_keys
from hri.ca.operator import OperatorKey
from hri.ca.signer import SecretName
from hri.config import Config, load
from hri.context import Context
from hri.errors import ConfigurationError
from hri.registry import Registry, registry_location

if TYPE_CHECKING:
    from hri.ca.external_est import EstClient

PassphraseName = SecretName
Ask = Callable[[PassphraseName], bytes | None]
_VARIABLES: Mapping[PassphraseName, str] = {
    "ca": "HRI_CA_PASSPHRASE",
    "root": "HRI_ROOT_PASSPHRASE",
    "pkcs11": "HRI_PKCS11_PIN",
}


class Passphrases:
    """Where passphrases come from: the environment, a file, the keyring, a prompt; the first that has one.

    HRI_CA_PASSPHRASE, HRI_ROOT_PASSPHRASE and HRI_PKCS11_PIN, a token's, hold them; the same names with _FILE
    appended, or `files`, name files whose first line they are, and which not everybody may read. `ask`
    prompts, and returns None where nobody is there.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        files: Mapping[PassphraseName, Path] | None = None,
        keyring: Callable[[PassphraseName], str | None] | None = None,
        ask: Ask | None = None,
    ) -> None:
        self._environ = environ
        self._files = dict(files or {})
        self._keyring = keyring
        self._ask = ask
        # What was typed is remembered: one command may need it for several keys.
        self._typed: dict[PassphraseName, bytes] = {}

    def get(self, name: PassphraseName) -> bytes:
        """Return a passphrase. Raises ConfigurationError where there is none, or an empty one."""
        found = self._find(name)
        if not found:
            variable = _VARIABLES[name]
            what = "empty" if found is not None else "missing"
            raise ConfigurationError(
                "no-passphrase",
                f"the {secret_words(name)} is {what}",
                f"set {variable}, or {variable}_FILE to the file that holds it, or run this at a terminal",
            )
        return found

    def prompted(self, name: PassphraseName) -> bool:
        """Return whether the last passphrase of this name came from a prompt, where one mistypes."""
        return name in self._typed

    def _find(self, name: PassphraseName) -> bytes | None:
        variable = _VARIABLES[name]
        path = self._files.get(name)
        if variable in self._environ:
            words = self._environ[variable].encode()
            if path is not None and _first_line(path) != words:
                raise ConfigurationError(
                    "two-passphrases",
                    f"{variable} and the file {path} hold two different passphrases",
                    f"unset {variable}, or leave the file out",
                )
            return words
        if path is None and f"{variable}_FILE" in self._environ:
            path = Path(self._environ[f"{variable}_FILE"])
        if path is not None:
            return _first_line(path)
        stored = self._keyring(name) if self._keyring else None
        if stored is not None:
            return stored.encode()
        if name in self._typed:
            return self._typed[name]
        answer = self._ask(name) if self._ask else None
        if answer is not None:
            self._typed[name] = answer
        return answer


def secret_words(name: PassphraseName) -> str:
    """Return what people call a secret."""
    return "PIN of the token" if name == "pkcs11" else f"{name} passphrase"


def _first_line(path: Path) -> bytes:
    """Return the first line of a passphrase file; raises ConfigurationError for one that anybody may use."""
    data = read_input(path, "the passphrase file")
    if path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH):
        raise ConfigurationError(
            "passphrase-file-open",
            f"everybody on this machine may read or write the passphrase file {path}",
            f"chmod 600 {path}, and choose another passphrase if others have had it",
        )
    return next(iter(data.splitlines()), b"")


def keyring_lookup(home: Path) -> Callable[[PassphraseName], str | None] | None:
    """Return the lookup in the desktop's keyring (service `hri`), None where the extra is not installed."""
    try:
        import keyring
        import keyring.errors
    except ImportError:
        return None

    def lookup(name: PassphraseName) -> str | None:
        try:
            return keyring.get_password("hri", f"{name}@{home}")
        except (keyring.errors.KeyringError, RuntimeError):
            # No desktop session, or it is locked: the next source is asked.
            return None

    return lookup


class Home:
    """One home folder; nothing is opened before it is asked for."""

    def __init__(self, path: Path, passphrases: Passphrases, *, environ: Mapping[str, str]) -> None:
        self.path = path
        self.passphrases = passphrases
        self.environ = environ

    @staticmethod
    def locate(option: Path | None, environ: Mapping[str, str]) -> Path:
        """Return the folder: the option, else HRI_HOME, else the user's data folder."""
        if option is not None:
            return option.expanduser().absolute()
        if environ.get("HRI_HOME"):
            return Path(environ["HRI_HOME"]).expanduser().absolute()
        return platformdirs.user_data_path("hri", appauthor=False)

    def config(self) -> Config:
        """Return the configuration: HRI_CONFIG, else config.yaml in the folder, else the defaults."""
        named = self.environ.get("HRI_CONFIG")
        if named:
            return load(Path(named), self.environ)
        path = self.path / "config.yaml"
        return load(path if path.exists() else None, self.environ)

    def has_authority(self) -> bool:
        """Return whether an authority was made here."""
        return (self.path / "ca").is_dir()

    def require_authority(self) -> None:
        """Raise ConfigurationError where no authority was made here: the folder is another one than meant."""
        if not self.has_authority():
            raise ConfigurationError(
                "no-ca",
                f"there is no authority in {self.path}",
                "make one with `hri ca init`, or give its --home",
            )

    def registry(self) -> Registry:
        """Open the registry, making it if need be. Raises StorageError and ConfigurationError."""
        return Registry.open(registry_location(self.path, self.environ))

    @contextmanager
    def context(self, *, unlocked: bool, logs_anew: bool = False) -> Iterator[Context]:
        """Open everything for a use case; with `unlocked` the keys too, for which the passphrase is needed.

        `logs_anew` signs both logs as they are, whatever signed them before; somebody has to ask for that.

        Raises ConfigurationError (no authority, wrong passphrase) and StorageError.
        """
        config = self.config()
        # The certificates first: a passphrase is not asked for where there is nothing to open with it.
        hierarchy = Hierarchy.read(self.path)
        default, keyring, operator = hierarchy.newest(config.issuing_ca()), None, None
        if unlocked:
            keyring = self.keyring(config)
            operator = OperatorKey.unlock(self.path, keyring)
        external = config.certificate_authority.type == "external"
        authority = default.authority(None if external else keyring)
        with self.registry() as registry, self.external() as enroller:
            keys = None
            if keyring is not None:
                begin = partial(begin_with_new_keys, registry, process_actor(), anew=logs_anew)
                first = hierarchy.first
                secret = keyring.derivation(first.key, f"CA {first.name}") or keyring.secrets("ca")
                keys = open_log_keys(self.path, secret, first.root.certificate, begin)
                if logs_anew:
                    begin_logs(registry, keys)
            context = Context(
                config,
                registry,
                authority,
                operator,
                station=socket.gethostname(),
                hierarchy=hierarchy,
                keyring=keyring,
                recorder=Recorder(process_actor(), keys),
                enroller=enroller,
            )
            record_configuration(context)
            yield context

    def keyring(self, config: Config) -> Keyring:
        """Return what opens the authority's keys; it asks for a passphrase or a PIN when one is needed."""
        token = config.certificate_authority.pkcs11
        return Keyring(self.passphrases.get, token.timeout, token.module)

    @contextmanager
    def external(self) -> Iterator[EstClient | None]:
        """Open the way to the external authority, None where the authority is our own.

        Raises ConfigurationError.
        """
        config = self.config()
        if config.certificate_authority.type == "internal":
            yield None
            return
        client = open_external(config, self.path, self.environ)
        try:
            yield client
        finally:
            client.close()

    def crl_path(self) -> Path:
        """Return where the issuing CA's revocation list is published."""
        return self.path / "crl" / "issuing.crl"

    def ocsp_folder(self) -> Path:
        """Return where the keys and certificates of OCSP responders are kept."""
        return self.path / "ocsp"


def open_external(config: Config, home: Path, environ: Mapping[str, str]) -> EstClient:
    """Return the way to the external authority of a configuration. Raises ConfigurationError."""
    try:
        from hri.external_authority import est_client
    except ImportError as error:
        raise ConfigurationError(
            "no-est-client", f"a part is not installed ({error.name})", "pip install 'hri[server]'"
        ) from error
    return est_client(config, home, environ)


def process_actor() -> str:
    """Return who runs this process, as the audit log names them: `user@host`, by the system's own word."""
    number = os.geteuid()
    try:
        name = pwd.getpwuid(number).pw_name
    except KeyError:
        name = str(number)
    return f"{name}@{socket.gethostname()}"


def default_home() -> Home:
    """Return the home that the process's environment names, with its passphrases and no prompt."""
    path = Home.locate(None, os.environ)
    return Home(path, Passphrases(os.environ, keyring=keyring_lookup(path)), environ=os.environ)
