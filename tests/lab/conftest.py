# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fixtures: fresh copies of the running laptop, without pmcoord and with it."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import again  # noqa: E402
import long_tests  # noqa: E402
from again import pytest_report_teststatus, pytest_runtest_protocol  # noqa: E402, F401
from long_tests import pytest_addoption, pytest_sessionfinish  # noqa: E402, F401
from xenlab import LabError, Laptop, Payload  # noqa: E402

SOURCE = Path(__file__).resolve().parents[2]


def pytest_terminal_summary(terminalreporter):
    again.pytest_terminal_summary(terminalreporter)
    long_tests.pytest_terminal_summary(terminalreporter)


def pytest_collection_finish(session):
    """Makes the first copy, which may take minutes, while output is not captured."""
    if not session.items or session.config.option.collectonly:
        return
    with session.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        Laptop.fresh().close()


@pytest.fixture
def bare_laptop(request):
    """The laptop without pmcoord."""
    with Laptop.fresh() as laptop:
        request.node.laptop = laptop
        yield laptop


@pytest.fixture(scope="session")
def payload(tmp_path_factory):
    """pmcoord, built from this source tree."""
    return Payload.make(SOURCE, tmp_path_factory.mktemp("payload"))


@pytest.fixture
def laptop(request, payload):
    """The laptop with pmcoord installed and its units enabled."""
    with Laptop.fresh(payload) as installed:
        request.node.laptop = installed
        yield installed


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if call.when != "call" or not hasattr(item, "laptop"):
        return
    # The message of a LabError has them already.
    failed = report.failed and not call.excinfo.errisinstance(LabError)
    if failed or (report.passed and item.stash.get(again.is_second, False)):
        report.sections.append(("consoles", item.laptop.consoles(*item.laptop.guests)))
