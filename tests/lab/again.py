# SPDX-License-Identifier: LGPL-2.1-or-later
"""pytest hooks: run a lab test that failed once more, with new fixtures, and report it.

An emulated machine on a busy host fails by itself now and then, and a run of all tests takes most of an hour. A test
that passes only at its second attempt has a fault all the same: the end of the output has both attempts.
"""

import pytest
from _pytest.runner import runtestprotocol

# More than this many failures are not chance.
AGAIN_MAX = 3
# Both attempts must fit into the time limit of one test (timeout= in pytest.ini).
AGAIN_WITHIN_S = 250
CATEGORY = "passed at the second attempt"

_repeated = pytest.StashKey[list]()  # of pairs: the reports of the first attempt, those of the second
is_second = pytest.StashKey[bool]()  # of an item


def _is_to_be_repeated(item, reports) -> bool:
    return (any(report.failed for report in reports) and sum(report.duration for report in reports) < AGAIN_WITHIN_S
            and len(item.session.stash.setdefault(_repeated, [])) < AGAIN_MAX)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = runtestprotocol(item, nextitem=nextitem, log=False)
    if _is_to_be_repeated(item, reports):
        first = reports
        # Fixtures shared with other tests are made again, too: they may be the cause.
        item.session._setupstate.teardown_exact(None)
        item.stash[is_second] = True
        item._report_sections.clear()
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        for report in reports:
            report.is_second = True
        item.session.stash[_repeated].append((first, reports))
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def pytest_report_teststatus(report):
    if getattr(report, "is_second", False) and report.when == "call" and report.passed:
        return CATEGORY, "2", "PASSED AT THE SECOND ATTEMPT"
    return None


def _print_attempt(terminalreporter, name, reports):
    terminalreporter.write_sep("-", f"{name}, {sum(report.duration for report in reports):.0f} s")
    for report in reports:
        if report.failed:
            report.toterminal(terminalreporter._tw)
    # The last report has what was captured in all phases.
    for title, text in reports[-1].sections:
        terminalreporter.write_sep("-", title)
        terminalreporter.write_line(text.rstrip("\n"))


def pytest_terminal_summary(terminalreporter):
    for first, second in terminalreporter._session.stash.get(_repeated, []):
        passed = all(report.passed for report in second)
        what = "FAULT, passed only at the second attempt" if passed else "failed twice"
        terminalreporter.write_sep("=", f"{what}: {first[0].nodeid}", yellow=True)
        _print_attempt(terminalreporter, "first attempt", first)
        if passed:  # pytest itself prints a second attempt that failed
            _print_attempt(terminalreporter, "second attempt", second)
