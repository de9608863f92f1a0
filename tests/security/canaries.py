"""Secrets that are recognised wherever they turn up."""

from collections.abc import Iterable

from tests.api.caller import Caller, Response

_MARK = "canary-of-"


def canary(name: str) -> str:
    """Return a secret of more than 32 characters that names itself."""
    return f"{_MARK}{name}-{'7' * 32}"


class Canaries:
    """The secrets of a test by name, and where they were found.

    Attributes:
        errors: the bodies of all refusals.
    """

    def __init__(self) -> None:
        self._secrets: dict[str, str] = {}
        self.errors: list[str] = []

    def new(self, name: str) -> str:
        """Return a new secret."""
        return self.keep(name, canary(name))

    def keep(self, name: str, secret: str) -> str:
        """Watch for a secret that somebody else has made."""
        assert len(secret) >= 8, f"{name} is too short to be recognised"
        self._secrets[name] = secret
        return secret

    def found_in(self, texts: Iterable[str]) -> dict[str, str]:
        """Return the texts with secrets, shortened, by the names of the secrets."""
        return {
            name: text[max(0, text.find(secret) - 150) :][:400]
            for text in texts
            for name, secret in self._secrets.items()
            if secret in text
        }


class WatchedCaller(Caller):
    """A caller whose refusals are kept."""

    def __init__(self, base_url: str, canaries: Canaries, token: str | None = None) -> None:
        super().__init__(base_url, token)
        self._canaries = canaries

    async def send(self, *request: object, **options: object) -> Response:  # type: ignore[override]
        answer = await super().send(*request, **options)
        if answer.status >= 400:
            self._canaries.errors.append(f"{answer.body.decode()} {dict(answer.headers)}")
        return answer
