"""Sends requests: tokens, idempotency keys, repetitions, and pages of lists."""

import ssl
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4
from weakref import WeakSet

import httpx
import msgspec

from frontrow_client._sync.io import Lock, sleep
from frontrow_client._version import __version__
from frontrow_client.answers import ENVELOPED, JSON, Answer
from frontrow_client.errors import (
    ApiError,
    ConnectionFailed,
    FrontrowError,
    NotAuthenticated,
    UnexpectedAnswer,
)
from frontrow_client.models import Tokens
from frontrow_client.public_models import GuestToken
from frontrow_client.refusals import InvalidCredentials
from frontrow_client.retries import Retries, is_final, is_worth_repeating
from frontrow_client.tokens import TokenKeeper

T = TypeVar("T")
Parameters = Mapping[str, Any]

NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
PAGE_SIZE = 100
"""Entries of a page, of which lists fetch as many as are iterated over."""


def given(**fields: Any) -> dict[str, Any]:
    """Return the fields that are not None."""
    return {name: value for name, value in fields.items() if value is not None}


@cache
def _authorities() -> ssl.SSLContext:
    """Return the certificate authorities to trust. Reading them takes 50 ms, so all clients share them."""
    return httpx.create_ssl_context()


def _is_about_token(refusal: ApiError) -> bool:
    return isinstance(refusal, NotAuthenticated) and not isinstance(refusal, InvalidCredentials)


class Base:
    """A connection to a server, for one caller.

    Use it as a context manager, or call `close`. It may be used by several threads at once.

    Args:
        base_url: the server, such as "https://tickets.example"; a path prefix is kept.
        token: a JSON Web Token, or a function that returns one and is called before every request; see also
            `log_in` and `become_guest`.
        retries: bounds of repetitions.
        timeout_seconds: how long to wait for the server, each time.
        http: an httpx client to send requests with, for example with a proxy or certificates of your own. It
            is not closed.

    Raises:
        ValueError: the address is not one of HTTP.
    """

    def __init__(
        self,
        base_url: str,
        token: str | Callable[[], str] | None = None,
        *,
        retries: Retries = Retries(),  # noqa: B008  # immutable
        timeout_seconds: float = 30.0,
        http: httpx.Client | None = None,
    ) -> None:
        if urlsplit(base_url).scheme not in ("http", "https"):
            raise ValueError(f"{base_url!r} does not begin with http:// or https://")
        self.base_url = base_url.rstrip("/")
        self._retries = retries
        self._timeout_seconds = timeout_seconds
        self._owns_http = http is None
        self._http = httpx.Client(verify=_authorities()) if http is None else http
        self._token_source = token if callable(token) else None
        self._tokens = TokenKeeper(None if callable(token) else token)
        self._renewing = Lock()
        self._sockets: WeakSet[Any] = WeakSet()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections and sockets."""
        for socket in list(self._sockets):
            socket.close()
        if self._owns_http:
            self._http.close()

    @property
    def token(self) -> str | None:
        """The present token, which may be stored and given to another client."""
        return self._tokens.access

    def request(
        self,
        method: str,
        path: str,
        kind: type[T],
        *,
        json: object = None,
        params: Parameters | None = None,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool = False,
    ) -> T:
        """Send any request, also of operations that have no method here.

        Args:
            method: such as "GET". Everything else gets an idempotency key, unless one is given or it is
                `repeatable`.
            path: such as "/api/v1/ops/overview".
            kind: the type of the answer: a model, `list` of one, `dict`, `bytes` for the body as it is.
            json: the body.
            params: the query; None is left out.
            key: the idempotency key. The same key with the same request returns the first answer, for a day.
            headers: further fields of the head.
            repeatable: whether executing it twice does no more than once, so that it needs no key. Keys are
                looked up in the database.

        Raises:
            ApiError: the server has refused it.
            ConnectionFailed: there was no answer.
            UnexpectedAnswer: the answer is not of the type.
        """
        if method != "GET" and not repeatable:
            key = key or uuid4().hex
        answer = self._send(method, path, json, params, key, headers, repeatable)
        return answer.read(kind)

    def _post(self, path: str, kind: type[T], json: object = None, **options: Any) -> T:
        return self.request("POST", path, kind, json=json, **options)

    def _get(self, path: str, kind: type[T], **params: Any) -> T:
        return self.request("GET", path, kind, params=params)

    def _post_once(self, path: str, kind: type[T], json: object = None) -> T:
        """Send a request that has no idempotency key, because its answer contains a secret."""
        return (self._send("POST", path, json)).read(kind)

    def _pages(self, path: str, kind: type[T], **params: Any) -> Iterator[T]:
        """Iterate over a list, which is fetched page by page as it is needed."""
        size = "limit" if path.startswith(ENVELOPED) else "size"
        params = {size: PAGE_SIZE, **params}
        while True:
            answer = self._send("GET", path, params=params)
            entries: list[T] = answer.read(list[kind])  # type: ignore[valid-type]
            yield from entries  # synchronous generators have no `yield from`
            if answer.next_cursor is None:
                return
            params = {**params, "cursor": answer.next_cursor}

    def _send(
        self,
        method: str,
        path: str,
        json: object = None,
        params: Parameters | None = None,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool = False,
    ) -> Answer:
        """Send a request until it is answered for good."""
        head = {"Accept": JSON, "User-Agent": f"frontrow-client/{__version__}", **(headers or {})}
        if key is not None:
            head["Idempotency-Key"] = key
        content = None
        if json is not None:
            content, head["Content-Type"] = msgspec.json.encode(json), JSON
        is_safe = repeatable or method == "GET" or key is not None
        attempt, has_renewed, in_doubt = 0, False, False
        while True:
            attempt += 1
            token = self._current_token()
            if token is not None:
                head["Authorization"] = f"Bearer {token}"
            error: FrontrowError
            try:
                answer = self._send_once(method, path, content, params, head)
            except httpx.TransportError as trouble:
                never_sent = isinstance(trouble, NEVER_SENT)
                words = str(trouble) or type(trouble).__name__
                error = ConnectionFailed(
                    f"{method} {path}: {words}", may_have_been_executed=in_doubt or not never_sent
                )
                error.__cause__ = trouble
                pause = self._retries.pause_seconds(attempt) if is_safe or never_sent else None
            else:
                if answer.status < 400:
                    return answer
                error = refusal = answer.refusal
                if not has_renewed and _is_about_token(refusal) and self.renew(token):
                    has_renewed = True
                    continue
                pause = None
                if is_worth_repeating(refusal.status, retryable=refusal.retryable, is_safe=is_safe):
                    pause = self._retries.pause_seconds(attempt, refusal.retry_after_seconds)
                if not is_final(refusal.status, retryable=refusal.retryable):
                    refusal.may_have_been_executed |= in_doubt
            in_doubt = error.may_have_been_executed = error.may_have_been_executed and method != "GET"
            if pause is None:
                raise error
            sleep(pause)

    def _send_once(
        self,
        method: str,
        path: str,
        content: bytes | None,
        params: Parameters | None,
        head: Mapping[str, str],
    ) -> Answer:
        response = self._http.request(
            method,
            self.base_url + path,
            content=content,
            params=given(**params) if params else None,
            headers=dict(head),
            timeout=self._timeout_seconds,
        )
        if response.is_redirect:
            raise UnexpectedAnswer(
                f"{method} {path} is redirected to {response.headers.get('location')}: correct the address",
                response.status_code,
                response.content,
            )
        return Answer(response.status_code, response.headers, response.content, path.startswith(ENVELOPED))

    # Tokens

    def _current_token(self) -> str | None:
        if self._token_source is not None:
            self._tokens.access = self._token_source()
        elif self._tokens.is_due:
            self.renew(self._tokens.access)
        return self._tokens.access

    def renew(self, rejected: str | None) -> bool:
        """Replace a token that was rejected, or will be soon. Requests do this by themselves.

        Args:
            rejected: the token.

        Returns:
            Whether there is another one.
        """
        if self._token_source is not None:
            return self._token_source() != rejected
        with self._renewing:
            tokens = self._tokens
            if tokens.access != rejected:
                return tokens.access is not None  # another thread was faster
            if tokens.is_guest:
                return self._renew_guest()
            return self._refresh() or self._log_in_again()

    def _refresh(self) -> bool:
        if self._tokens.refresh is None:
            return False
        # It works once: without an answer it must not be sent again.
        refresh, self._tokens.refresh = self._tokens.refresh, None
        answer = self._ask_for_token("/api/v1/auth/refresh-token", {"refresh_token": refresh})
        return self._logged_in(answer)

    def _log_in_again(self) -> bool:
        if self._tokens.password is None:
            return False
        email, password = self._tokens.password
        answer = self._ask_for_token("/api/v1/auth/login", {"email": email, "password": password})
        if answer is not None and answer.status == 401:
            self._tokens.password = None
        return self._logged_in(answer)

    def _logged_in(self, answer: Answer | None) -> bool:
        if answer is None or answer.status >= 400:
            return False
        tokens = answer.read(Tokens)
        self._tokens.received(tokens.access_token, tokens.expires_in, refresh=tokens.refresh_token)
        return True

    def _renew_guest(self) -> bool:
        answer = self._ask_for_token("/api/public/guests")
        if answer is None or answer.status >= 400:
            return False
        guest = answer.read(GuestToken)
        self._tokens.received(guest.access_token, guest.expires_in, is_guest=True)
        return True

    def _ask_for_token(self, path: str, json: object = None) -> Answer | None:
        """Send a request once, with the present token; None if there was no answer."""
        head = {"Accept": JSON, "Authorization": f"Bearer {self._tokens.access}"}
        content = None
        if json is not None:
            content, head["Content-Type"] = msgspec.json.encode(json), JSON
        try:
            return self._send_once("POST", path, content, None, head)
        except httpx.TransportError:
            return None
