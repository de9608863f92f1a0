"""Mail: delivered to a real SMTP server, retried, dropped, or written to a folder."""

import gc
import stat
from email.message import EmailMessage
from pathlib import Path

import pytest
from tornado.ioloop import IOLoop

from api.papers.mail import MailQueueFull, text_mail
from frontrow.mail import MailQueue, by_smtp, into_folder
from tests.inbox import Inbox

pytestmark = pytest.mark.gen_test

SENDER = "tickets@cinema.example"


async def deliver(postman: MailQueue, *messages: EmailMessage) -> None:
    postman.start()
    for message in messages:
        await postman.send(message)
    await postman.stop(5)


async def test_a_mail_arrives_with_complete_headers(inbox: Inbox) -> None:
    message = text_mail("guest@home.example", "Plätze 4 & 5", "Grüße\n")
    message.add_attachment(b"\x89PNG", maintype="image", subtype="png", filename="code.png")
    await deliver(MailQueue(by_smtp(inbox.url, 5), SENDER), message)
    mail = await inbox.next_mail()
    assert (mail["From"], mail["To"], mail["Subject"]) == (SENDER, "guest@home.example", "Plätze 4 & 5")
    assert mail["Message-ID"].endswith("@cinema.example>")
    assert mail["Date"].datetime.tzinfo is not None
    body = mail.get_body()
    assert body is not None
    assert body.get_content().strip() == "Grüße"
    assert [part.get_content() for part in mail.iter_attachments()] == [b"\x89PNG"]


async def test_a_mail_leaves_no_reference_cycles() -> None:
    found = []
    for _ in range(2):
        gc.collect()
        message = text_mail("guest@home.example", "Plätze 4 & 5", "Grüße\n")
        message.add_attachment(b"\x89PNG", maintype="image", subtype="png", filename="code.png")
        message.as_bytes()
        del message
        found.append(gc.collect())
    assert found[1] == 0


async def test_temporary_failures_are_retried_and_permanent_ones_are_not(inbox: Inbox) -> None:
    inbox.answers = ["451 later", "451 later"]
    await deliver(MailQueue(by_smtp(inbox.url, 5), SENDER, (0, 0)), text_mail("a@b.example", "again", ""))
    assert (await inbox.next_mail())["Subject"] == "again"
    inbox.answers = ["554 never"]
    await deliver(MailQueue(by_smtp(inbox.url, 5), SENDER, (0, 0)), text_mail("a@b.example", "refused", ""))
    assert inbox.empty


@pytest.mark.parametrize(
    ("address", "envelope"),
    [
        ("ада@почта.рф", "ада@почта.рф"),
        ("josé@bücher.example", "josé@bücher.example"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
    ],
)
async def test_addresses_may_use_any_script(inbox: Inbox, address: str, envelope: str) -> None:
    await deliver(MailQueue(by_smtp(inbox.url, 5), SENDER), text_mail(address, "Grüße", ""))
    mail = await inbox.next_mail()
    assert (inbox.recipients, mail["To"], mail["Subject"]) == ([envelope], envelope, "Grüße")


async def test_an_unsupported_address_is_not_retried(inbox: Inbox, caplog: pytest.LogCaptureFixture) -> None:
    inbox.international = False
    await deliver(MailQueue(by_smtp(inbox.url, 5), SENDER, (3600,)), text_mail("ада@почта.рф", "x", ""))
    assert inbox.empty
    assert "SMTPUTF8 is not supported" in caplog.text


async def test_a_failing_mail_delays_no_other(inbox: Inbox, caplog: pytest.LogCaptureFixture) -> None:
    bad = text_mail("nobody", "to nowhere", "the secret text")
    bad.replace_header("To", "<>")
    await deliver(MailQueue(by_smtp(inbox.url, 5), SENDER, ()), bad, text_mail("a@b.example", "good", ""))
    assert (await inbox.next_mail())["Subject"] == "good"
    assert inbox.empty
    assert "was not delivered" in caplog.text
    assert "secret" not in caplog.text


async def test_mails_over_the_queue_limit_are_refused() -> None:
    async def deliver(message: EmailMessage) -> None:
        raise AssertionError("nothing is delivered before the start")

    postman = MailQueue(deliver, SENDER)
    with pytest.raises(MailQueueFull):
        for _ in range(100_000):
            await postman.send(text_mail("a@b.example", "one more", ""))


def test_without_a_server_mails_are_private_files(
    tmp_path: Path, io_loop: IOLoop, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    folder = tmp_path / "mail"
    postman = MailQueue(into_folder(folder), SENDER)
    io_loop.run_sync(lambda: deliver(postman, text_mail("a@b.example", "one", "token")))
    (file,) = folder.iterdir()
    assert b"token" in file.read_bytes()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert str(file) in caplog.text
