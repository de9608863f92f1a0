"""The commands that the pages tell a reader to type work against a real server."""

from pathlib import Path

import pytest

from tests.acceptance.server_process import ServerProcess
from tests.site.blocks import blocks
from tests.site.guide import run_commands
from tests.web.demo_house import DemoHouse

pytestmark = pytest.mark.gen_test(timeout=420)


async def test_the_tutorial_sells_a_hall_out_and_a_backup_of_it_is_restored(
    empty_data_directory: Path,
) -> None:
    kept = empty_data_directory / "tutorial"
    kept.mkdir(mode=0o755)
    server = ServerProcess(kept)
    try:
        await server.start()
        ran = await run_commands(blocks("docs/tutorial.md"), server.url, empty_data_directory)
        assert "sold 48 seats" in ran.output
        assert '"result":"admitted"' in ran.output and '"code":"already_admitted"' in ran.output
        assert [line.removesuffix("/").rpartition("/")[2] for line in ran.refused] == ["reserve", "check-in"]
        page = blocks("docs/how-to/backup-and-restore.md")
        settings = {"FRONTROW_DATA_DIR": str(kept)}
        ran = await run_commands(page, server.url, empty_data_directory, settings)
        assert "restored from night.frontrow" in ran.output
    finally:
        await server.remove()


async def test_a_payment_of_a_provider_confirms_the_tickets(database_url: str, tmp_path: Path) -> None:
    page = blocks("docs/how-to/payment-provider.md")
    (settings,) = (block.code for block in page if block.language == "ini")
    values = dict(line.split("=", 1) for line in settings.splitlines())
    house = DemoHouse(
        database_url,
        tmp_path,
        payments=values["FRONTROW_PAYMENTS"],
        stripe_webhook_secret=(values["FRONTROW_STRIPE_WEBHOOK_SECRET"],),
    )
    await house.open()
    try:
        member = house.demo.members[1]
        environment = {**values, "TOKEN": house.token(member.user_id), "USER_ID": str(member.user_id)}
        ran = await run_commands(page, house.base_url, tmp_path, environment)
        assert ran.output.split("\n", 1)[0] == "booked"
        assert ran.output.count("confirmed") == 2
    finally:
        await house.close()


async def test_the_readme_can_be_tried(database_url: str, tmp_path: Path) -> None:
    house = DemoHouse(database_url, tmp_path)
    await house.open()
    try:
        tried = [block for block in blocks("README.md") if "curl" in block.code]
        environment = {"TOKEN": house.token(house.demo.members[1].user_id)}
        ran = await run_commands(tried, house.base_url, tmp_path, environment)
        assert ran.refused == []
    finally:
        await house.close()
