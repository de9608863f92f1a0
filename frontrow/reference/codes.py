"""The page of error codes, from the classes of the errors and the operations that may answer with them."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from api.errors import ApiError
from api.rest.errors import translation_of
from engine.errors import EngineError

_HEAD = """\
# Error codes

Every refusal has `detail`, a sentence for people; `code`, for programs, which is never renamed; and
`retryable`, which says whether the same request may succeed later. Some have more fields; see
[HTTP](../http.md).

After `outcome_unknown` the request may have been carried out, or may still be. Repeat it with the same
`Idempotency-Key` or `payment_id`; without either, look first whether it has happened
([No answer does not mean no](../consistency.md#no-answer-does-not-mean-no)). Every operation that changes
something can answer with it.
"""
_MISSING = "What the path or the body names does not exist."
_CODE = re.compile(r"`(\w+)`")

Error = type[ApiError] | type[EngineError]


def code_page(document: Mapping[str, Any]) -> str:
    """Return the page's Markdown.

    Args:
        document: the OpenAPI document.
    """
    return "\n".join(_lines(document))


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    yield _HEAD
    yield from ("| code | status | retryable | meaning | further fields |", "| --- | --- | --- | --- | --- |")
    known = {error.code: error for error in _errors()}
    for code, statuses in sorted(_answered(document).items()):
        error = known.get(code)
        meaning = (error.__doc__ or "").partition("\n")[0] if error else _MISSING
        retryable = "yes" if error and error.retryable else "no"
        fields = ", ".join(f"`{name}`" for name in _fields(error))
        yield f"| `{code}` | {', '.join(sorted(statuses))} | {retryable} | {meaning} | {fields} |"
    yield ""


def _answered(document: Mapping[str, Any]) -> Mapping[str, set[str]]:
    """Return the statuses with which operations may answer, by code."""
    answered: defaultdict[str, set[str]] = defaultdict(set)
    for methods in document["paths"].values():
        for operation in methods.values():
            for status, response in operation["responses"].items():
                if status >= "400":
                    for code in _CODE.findall(response["description"]):
                        answered[code].add(status)
    return answered


def _errors(bases: tuple[Error, ...] = (ApiError, EngineError)) -> Iterator[Error]:
    for base in bases:
        for error in base.__subclasses__():
            if "code" in vars(error):
                yield error
            yield from _errors((error,))


def _fields(error: Error | None) -> tuple[str, ...]:
    if error is None or issubclass(error, ApiError):
        return ()
    translation = translation_of(error)
    return translation.data + translation.times
