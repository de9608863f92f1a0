"""Every log line is JSON and contains no secrets."""

import io
import json
import logging
import sys

import pytest

from api.json_log import JsonLines, configure_logging, name_process, redact

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI3In0.c2lnbmF0dXJl"


def record_of(message: str, *arguments: object, **options: object) -> logging.LogRecord:
    return logging.LogRecord("tornado.general", logging.WARNING, "x.py", 1, message, arguments, **options)


@pytest.mark.parametrize(
    "line",
    [
        f"101 GET /ws/screenings/1?token={JWT} (127.0.0.1) 1.20ms",
        f"403 GET /ws/screenings/1?since=4&token={JWT}&epoch=2",
        f"/ws?TOKEN={JWT}",
        "/ws?token=an.opaque-one%2B",
        "GET /api/public/reservations?page=1&sessionId=an.opaque-one",
        f"HTTPServerRequest(uri='/ws?token={JWT}', version='HTTP/1.1')",
        f"Authorization: Bearer {JWT}",
        "{'Authorization': 'bearer opaque-token'}",
        f"could not verify {JWT}",
        "GET /ws/ada?access_code=an.opaque-one",
        "GET /api/public/availability/7?accessCode=an.opaque-one&x=1",
        "could not connect to postgresql://frontrow:an.opaque-one@db.example/frontrow",
        "smtps://:an.opaque-one@mail.example",
    ],
)
def test_secrets_are_redacted(line: str) -> None:
    redacted = redact(line)
    assert "[redacted]" in redacted
    for secret in (JWT, JWT.split(".")[2], "opaque"):
        assert secret not in redacted


def test_the_rest_of_the_line_is_kept() -> None:
    assert (
        redact("GET /ws?since=4&token=abc&epoch=2 (::1)") == "GET /ws?since=4&token=[redacted]&epoch=2 (::1)"
    )


def test_a_record_is_one_line_of_json() -> None:
    line = JsonLines().format(record_of("%d of %s\nnext line", 3, {"a": 1}, exc_info=None))
    assert "\n" not in line
    parsed = json.loads(line)
    assert (parsed["level"], parsed["logger"]) == ("warning", "tornado.general")
    assert parsed["message"] == "3 of {'a': 1}\nnext line"


def test_the_process_is_named_in_every_line(monkeypatch: pytest.MonkeyPatch) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines(2))
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    name_process(node="box", mark="0badc0de")
    record = record_of("started", exc_info=None)
    record.fields = {"node": "host", "pid": 7}
    line = json.loads(handler.format(record))
    assert (line["worker"], line["node"], line["mark"], line["pid"]) == (2, "box", "0badc0de", 7)


def test_secrets_in_exceptions_are_redacted_too() -> None:
    try:
        raise ValueError(f"/ws?token={JWT}")
    except ValueError:
        line = JsonLines().format(record_of("failed", exc_info=sys.exc_info()))
    assert "ValueError" in json.loads(line)["exception"]
    assert JWT not in line


def test_every_logger_uses_this_format(monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    # basicConfig(force=True) would close the handlers of the test run.
    root.handlers.clear()
    try:
        configure_logging("warning")
        logging.getLogger("tornado.access").warning("403 GET /ws?token=%s", JWT)
        logging.getLogger("tornado.access").info("not written")
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    (line,) = written.getvalue().splitlines()
    assert json.loads(line)["message"] == "403 GET /ws?token=[redacted]"
