/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The laws themselves are tested with worlds made by hand: a log, and what a program
 * could have said. In each of the first ones, a law must complain; in none of the last
 * ones. No pmcoord runs here.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pmcoord/cleanup.h"
#include "tests/worlds/cause.h"
#include "tests/worlds/known.h"
#include "tests/worlds/laws.h"
#include "tests/worlds/world-file.h"

#define STEPS_MAX 4

/* What is seen of one step. */
struct seen {
	const char *log;
	int code;
	const char *out, *err; /* NULL: "" */
	const char *report;
};

struct example {
	const char *name;
	const char *world;
	struct seen seen[STEPS_MAX];
	/* The complaint that must be there; a law of 0 and no kind: none at all. */
	int law;
	const char *kind;
};

/* ---- worlds ------------------------------------------------------------- */

#define NET_AND_WEB "[Guest \"net\"]\n[Guest \"web\"]\nNeeds=net\n"
#define SUSPEND_ALL "#$ run suspend-all\n"
#define GUESTS_ONLY "#$ run suspend-all --guests-only\n"
#define RESUME_ALL "#$ run resume-all\n"
#define STATUS "#$ run status --json\n"
#define DOWN(name)                                                                                 \
	"1000000 requested " name "\n1000000 acknowledged " name "\n1030000 suspended " name "\n"
#define SLEEP "1100000 sleep -\n9100000 wake -\n"
#define UP(name) "9200000 resumed " name "\n"
#define REPORT_OK "{\"result\":\"ok\",\"slept_us\":8000000,\"detail\":\"\",\"guests\":[]}"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
static const struct example examples[] = {
	{ "a guest is suspended while another program saves it",
	  SUSPEND_ALL "[Guest \"web\"]\n",
	  { { "900000 save-begins web\n1000000 requested web\n", 1 } },
	  3,
	  "touched-saved" },
	{ "a guest is saved anew after its user has broken a save, and gets a request",
	  "#$ run resume --force web\n" SUSPEND_ALL "[Guest \"web\"]\nState=saving\n",
	  { { "850000 saved web\n900000 resumed web\n", 0 },
	    { "950000 save-begins web\n1000000 requested web\n", 1 } },
	  3,
	  "touched-saved" },
	{ "a guest runs while another program writes its image",
	  SUSPEND_ALL "[Guest \"web\"]\n",
	  { { "900000 save-begins web\n950000 saved web\n1000000 save-broken web\n", 1 } },
	  3,
	  "save-broken" },
	/* law 1 */
	{ "a guest is suspended before one that needs it",
	  SUSPEND_ALL NET_AND_WEB,
	  { { "1000000 requested net\n", 1 } },
	  1,
	  "suspended-before-dependent" },
	{ "a guest is paused before one that needs it",
	  SUSPEND_ALL NET_AND_WEB,
	  { { "1000000 paused net\n", 1 } },
	  1,
	  "suspended-before-dependent" },
	{ "the order of SuspendBefore= is not kept",
	  "#$ config [Guest \"a\"]\n#$ config SuspendBefore=b\n" SUSPEND_ALL
	  "[Guest \"a\"]\n[Guest \"b\"]\n",
	  { { "1000000 requested b\n", 1 } },
	  1,
	  "suspended-before-dependent" },
	{ "a stub domain is suspended before its guest",
	  SUSPEND_ALL "[Guest \"win\"]\n[Guest \"dm\"]\nStubFor=win\n",
	  { { "1000000 requested dm\n", 1 } },
	  1,
	  "suspended-before-dependent" },
	{ "a guest that is shutting down is passed over",
	  SUSPEND_ALL "[Guest \"net\"]\n[Guest \"app\"]\nNeeds=net\nState=shutting-down\n",
	  { { "1000000 requested net\n", 1 } },
	  1,
	  "leaving-passed-over" },
	{ "a guest that has appeared is passed over",
	  SUSPEND_ALL "[Guest \"net\"]\n[Guest \"old\"]\n[Guest \"new\"]\nNeeds=net\n",
	  { { "1000000 requested old\n1000000 appeared new\n1001000 requested net\n", 1 } },
	  1,
	  "newcomer-passed-over" },
	{ "a guest that has appeared in the cycle before is passed over",
	  "#$ run cycle -n 2\n[Guest \"net\"]\n[Guest \"new\"]\nNeeds=net\nAppearsAfter=1s\n",
	  { { DOWN("net") UP("net") "9300000 appeared new\n9900000 requested net\n", 3 } },
	  1,
	  "suspended-before-dependent" },
	{ "a guest is resumed before one that it needs",
	  SUSPEND_ALL NET_AND_WEB,
	  { { DOWN("web") DOWN("net") SLEEP UP("web") UP("net"), 0, .report = REPORT_OK } },
	  1,
	  "resumed-before-needed" },
	{ "guests of two cycles are resumed in the wrong order",
	  "#$ run suspend --force net\n#$ run suspend web\n" RESUME_ALL NET_AND_WEB,
	  { { DOWN("net"), 0 }, { DOWN("web"), 0 }, { UP("web") UP("net"), 0 } },
	  1,
	  "cycles-resumed-first" },
	{ "a guest that suspends late is resumed before one that it needs",
	  SUSPEND_ALL RESUME_ALL NET_AND_WEB,
	  { { "1000000 requested web\n1000000 acknowledged web\n1500000 paused web\n"
	      "1500000 requested net\n1500000 acknowledged net\n1600000 paused net\n" SLEEP
	      "9200000 unpaused net\n9200000 unpaused web\n",
	      3, .err = "web and net were paused" },
	    { "9300000 suspended web\n9300000 suspended net\n9400000 resumed web\n"
	      "9400000 resumed net\n",
	      0 } },
	  1,
	  "late-resumed-first" },
	{ "the host sleeps without a pause of a guest that is being built",
	  SUSPEND_ALL "[Guest \"new\"]\nState=being-built\n",
	  { { SLEEP, 0, .report = REPORT_OK } },
	  1,
	  "unbuilt-not-paused" },
	/* law 3: touched */
	{ "a guest that is being saved gets a request",
	  SUSPEND_ALL "[Guest \"web\"]\nState=saving\n",
	  { { "1000000 requested web\n", 1 } },
	  3,
	  "touched-saved" },
	{ "an ignored guest gets a request",
	  "#$ config [Guest \"web\"]\n#$ config Policy=ignore\n" SUSPEND_ALL "[Guest \"web\"]\n",
	  { { "1000000 requested web\n", 1 } },
	  3,
	  "touched-ignored" },
	{ "a guest that was not named is suspended",
	  "#$ run suspend web\n[Guest \"web\"]\n[Guest \"mail\"]\n",
	  { { DOWN("web") DOWN("mail"), 0 } },
	  3,
	  "touched-unnamed" },
	{ "a guest that its user has paused gets a request",
	  SUSPEND_ALL "[Guest \"web\"]\nState=paused\n",
	  { { "1000000 requested web\n", 1 } },
	  3,
	  "requested-paused" },
	{ "a guest that its user has paused is paused",
	  SUSPEND_ALL "[Guest \"web\"]\nUserPausesAfter=5ms\n",
	  { { "1000000 requested web\n1005000 user-paused web\n2000000 paused web\n", 1 } },
	  3,
	  "paused-paused" },
	{ "a guest that others have suspended is resumed",
	  RESUME_ALL "[Guest \"web\"]\nState=suspended\n",
	  { { "1000000 resumed web\n", 0 } },
	  3,
	  "resumed-theirs" },
	{ "a guest that its user has paused is unpaused",
	  RESUME_ALL "[Guest \"web\"]\nState=paused\n",
	  { { "1000000 unpaused web\n", 0 } },
	  3,
	  "unpaused-theirs" },
	{ "a guest that is being built is unpaused without a pause of pmcoord",
	  RESUME_ALL "[Guest \"new\"]\nState=being-built\n",
	  { { "1000000 unpaused new\n", 0 } },
	  3,
	  "unpaused-theirs" },
	{ "a list changes a guest",
	  "#$ run list\n[Guest \"web\"]\n",
	  { { "1000000 paused web\n", 0 } },
	  3,
	  "looking-touches" },
	/* law 3: resumed or named */
	{ "a guest stays suspended after a cycle",
	  SUSPEND_ALL "[Guest \"web\"]\n",
	  { { DOWN("web") SLEEP, 0, .report = REPORT_OK } },
	  3,
	  "left-suspended" },
	{ "a guest stays paused after resume-all",
	  GUESTS_ONLY RESUME_ALL "[Guest \"web\"]\n",
	  { { "1000000 paused web\n", 3, .err = "web was paused" }, { "", 0 } },
	  3,
	  "left-paused" },
	{ "a guest whose earlier resume was repeated stays suspended after a cycle",
	  "#$ kill 5 suspend-all\n" SUSPEND_ALL "[Guest \"web\"]\nFail=resume:1\n",
	  { { "900000 requested web\n900000 acknowledged web\n", 137 },
	    { "930000 suspended web\n930000 resume-failed web\n940000 resumed web\n" DOWN("web")
		      SLEEP,
	      0, .report = REPORT_OK } },
	  3,
	  "left-suspended" },
	{ "a guest suspends late, and is not resumed by resume-all",
	  SUSPEND_ALL RESUME_ALL "[Guest \"web\"]\n",
	  { { "1000000 requested web\n1000000 acknowledged web\n2000000 paused web\n" SLEEP
	      "9200000 unpaused web\n",
	      3, .err = "web was paused" },
	    { "9300000 suspended web\n", 0 } },
	  3,
	  "left-suspended" },
	{ "a guest that cannot be resumed does not change the exit code",
	  SUSPEND_ALL "[Guest \"web\"]\nFail=resume\n",
	  { { DOWN("web") SLEEP "9200000 resume-failed web\n", 3, .err = "web is suspended" } },
	  6,
	  "stranded-code" },
	{ "a guest that cannot be resumed is not named",
	  SUSPEND_ALL "[Guest \"web\"]\nFail=resume\n",
	  { { DOWN("web") SLEEP "9200000 resume-failed web\n", 6, .err = "webmail is fine" } },
	  3,
	  "stranded-not-named" },
	{ "a request stands after the cycle",
	  SUSPEND_ALL "[Guest \"web\"]\n",
	  { { "1000000 requested web\n2000000 paused web\n" SLEEP "9200000 unpaused web\n", 3,
	      .err = "web was paused" } },
	  3,
	  "request-left" },
	/* law 4 */
	{ "the host does not sleep",
	  SUSPEND_ALL "[Guest \"web\"]\n",
	  { { "", 1, .report = "{\"result\":\"failed\",\"detail\":\"no\"}" } },
	  4,
	  "stays-awake" },
	{ "the host sleeps after the deadline",
	  "#$ config [Coordinator]\n#$ config Deadline=3s\n" SUSPEND_ALL "[Guest \"web\"]\n",
	  { { "1000000 requested web\n1000000 acknowledged web\n9000000 suspended web\n"
	      "9000000 sleep -\n9000000 wake -\n9100000 resumed web\n",
	      0, .report = REPORT_OK } },
	  4,
	  "sleeps-late" },
	{ "the host sleeps after --timeout",
	  "#$ run suspend-all --timeout=3s\n[Guest \"web\"]\n",
	  { { "1000000 requested web\n1000000 acknowledged web\n9000000 suspended web\n"
	      "9000000 sleep -\n9000000 wake -\n9100000 resumed web\n",
	      0, .report = REPORT_OK } },
	  4,
	  "sleeps-late" },
	/* law 6: what went wrong */
	{ "a guest runs while the host sleeps, and all is ok",
	  SUSPEND_ALL "[Guest \"web\"]\n",
	  { { SLEEP, 0, .report = REPORT_OK } },
	  6,
	  "ok-but-ran-through" },
	{ "a guest was paused, and all is ok",
	  SUSPEND_ALL "[Guest \"web\"]\n",
	  { { "1000000 paused web\n" SLEEP "9200000 unpaused web\n", 0, .report = REPORT_OK } },
	  6,
	  "ok-but-paused" },
	{ "a guest was paused, and is not named",
	  SUSPEND_ALL "[Guest \"web\"]\n[Guest \"net\"]\n",
	  { { "1000000 paused web\n" DOWN("net") SLEEP "9200000 unpaused web\n" UP("net"), 3,
	      .err = "the cycle is degraded",
	      .report = "{\"result\":\"degraded\",\"slept_us\":1,\"guests\":[{\"name\":\"web\","
			"\"outcome\":\"suspended\",\"detail\":\"\"}]}" } },
	  6,
	  "silent-paused" },
	{ "a guest was paused while it was being built, and is not named",
	  SUSPEND_ALL "[Guest \"new\"]\nState=being-built\n",
	  { { "1000000 paused new\n" SLEEP "9200000 unpaused new\n", 0, .report = REPORT_OK } },
	  6,
	  "silent-being-built" },
	{ "a guest was paused while it was being built, and counts as degraded",
	  SUSPEND_ALL "[Guest \"new\"]\nState=being-built\n",
	  { { "1000000 paused new\n" SLEEP "9200000 unpaused new\n", 3,
	      .report = "{\"result\":\"degraded\",\"slept_us\":5,\"guests\":[{\"name\":\"new\","
			"\"outcome\":\"paused\"}]}" } },
	  6,
	  "degraded-being-built" },
	{ "a guest that was being built before the command is said to have appeared",
	  SUSPEND_ALL "[Guest \"new\"]\nState=being-built\n",
	  { { "1000000 paused new\n" SLEEP "9200000 unpaused new\n", 3,
	      .report =
		      "{\"result\":\"degraded\",\"slept_us\":5,\"guests\":[{\"name\":\"new\",\"outcome\":\"skipped\",\"detail\":\"is being built\",\"appeared\":true,\"degraded\":true}]}" } },
	  6,
	  "degraded-being-built" },
	{ "a guest is created before the first pause, and counts as degraded for its building",
	  SUSPEND_ALL "[Guest \"new\"]\nState=being-built\nAppearsAfter=1ms\n",
	  { { "900000 created new\n1000000 paused new\n" SLEEP "9200000 unpaused new\n", 3,
	      .report =
		      "{\"result\":\"degraded\",\"slept_us\":5,\"guests\":[{\"name\":\"new\",\"outcome\":\"skipped\",\"detail\":\"is being built\",\"degraded\":true}]}" } },
	  6,
	  "degraded-being-built" },
	{ "a guest that its toolstack has built was paused by pmcoord, and all is ok",
	  SUSPEND_ALL "[Guest \"new\"]\nState=being-built\n",
	  { { "900000 built new\n1000000 paused new\n" SLEEP "9200000 unpaused new\n", 0,
	      .report = REPORT_OK } },
	  6,
	  "ok-but-paused" },
	{ "a guest died, and all is ok",
	  SUSPEND_ALL "[Guest \"web\"]\n",
	  { { "1000000 requested web\n1000000 died web\n" SLEEP, 0, .report = REPORT_OK } },
	  6,
	  "ok-but-died" },
	{ "a guest was destroyed after its resume, and all is ok",
	  SUSPEND_ALL "[Guest \"web\"]\n",
	  { { DOWN("web") SLEEP UP("web") "9300000 gone web\n", 0, .report = REPORT_OK } },
	  6,
	  "ok-but-died" },
	{ "a guest appeared and was paused by others, and all is ok",
	  SUSPEND_ALL "[Guest \"old\"]\n[Guest \"new\"]\nAppearsAfter=1ms\n",
	  { { DOWN("old") "1040000 appeared new\n1040000 user-paused new\n" SLEEP UP("old"), 0,
	      .report = REPORT_OK } },
	  6,
	  "ok-but-appeared" },
	{ "an agent did not report ready, and all is ok",
	  SUSPEND_ALL "[Guest \"net\"]\nAgent=yes\n",
	  { { "1000000 requested net\n1000000 acknowledged net\n1010000 quiesced net\n"
	      "1030000 suspended net\n" SLEEP UP("net"),
	      0, .report = REPORT_OK } },
	  6,
	  "ok-but-not-ready" },
	{ "a guest still runs, and --guests-only is ok",
	  GUESTS_ONLY "[Guest \"web\"]\n",
	  { { "1000000 requested web\n", 0 } },
	  6,
	  "ok-but-running" },
	{ "a guest still runs unnamed, and another could not be resumed",
	  GUESTS_ONLY "[Guest \"web\"]\n[Guest \"net\"]\nFail=resume\n",
	  { { DOWN("net"), 6, .out = "{\"result\":\"degraded\",\"guests\":[]}",
	      .err = "pmcoord: cycle 2 degraded: net could not be resumed" } },
	  6,
	  "silent-running" },
	/* law 6: exit codes against the world */
	{ "the host slept, and the cycle failed",
	  SUSPEND_ALL,
	  { { SLEEP, 1 } },
	  6,
	  "failed-but-slept" },
	{ "the host did not sleep, and all is ok", SUSPEND_ALL, { { "", 0 } }, 6, "ok-but-awake" },
	{ "the host did not sleep, and the cycle is degraded",
	  SUSPEND_ALL,
	  { { "", 3 } },
	  6,
	  "degraded-but-awake" },
	{ "the host slept, and that is not possible here",
	  SUSPEND_ALL,
	  { { SLEEP, 4 } },
	  6,
	  "unsupported-but-slept" },
	{ "all guests run, and one is said to be suspended",
	  SUSPEND_ALL "[Guest \"web\"]\n",
	  { { DOWN("web") SLEEP UP("web"), 6 } },
	  6,
	  "stranded-for-nothing" },
	/* law 6: the report */
	{ "the report says ok, and the exit code does not",
	  SUSPEND_ALL,
	  { { SLEEP, 3, .report = REPORT_OK } },
	  6,
	  "code-against-report" },
	{ "the report has a sleep that was none",
	  SUSPEND_ALL,
	  { { "", 1, .report = "{\"result\":\"failed\",\"slept_us\":5,\"detail\":\"no\"}" } },
	  6,
	  "report-of-sleep" },
	{ "the report has a suspended guest that was not",
	  SUSPEND_ALL "[Guest \"web\"]\nState=paused\n",
	  { { SLEEP, 0,
	      .report = "{\"result\":\"ok\",\"slept_us\":5,\"guests\":[{\"name\":\"web\","
			"\"outcome\":\"suspended\"}]}" } },
	  6,
	  "report-suspended" },
	{ "the report has a paused guest that was not",
	  SUSPEND_ALL "[Guest \"web\"]\n",
	  { { DOWN("web") SLEEP UP("web"), 3,
	      .report = "{\"result\":\"degraded\",\"slept_us\":5,\"guests\":[{\"name\":\"web\","
			"\"outcome\":\"paused\"}]}" } },
	  6,
	  "report-paused" },
	{ "the report has a skipped guest that was suspended",
	  SUSPEND_ALL "[Guest \"web\"]\n",
	  { { DOWN("web") SLEEP UP("web"), 0,
	      .report = "{\"result\":\"ok\",\"slept_us\":5,\"guests\":[{\"name\":\"web\","
			"\"outcome\":\"skipped\"}]}" } },
	  6,
	  "report-skipped" },
	{ "the report has a guest that was skipped in both of its domains, and was suspended",
	  SUSPEND_ALL "[Guest \"web\"]\nState=rebooting\n",
	  { { "900000 rebooted web\n" DOWN("web") SLEEP UP("web"), 3,
	      .report = "{\"result\":\"degraded\",\"slept_us\":5,\"guests\":[{\"name\":\"web\","
			"\"outcome\":\"skipped\"},{\"name\":\"web\",\"outcome\":\"skipped\"}]}" } },
	  6,
	  "report-skipped" },
	{ "a refused sleep leaves no report",
	  SUSPEND_ALL "[Host]\nS3=refuse\n",
	  { { "1000000 sleep-refused -\n", 1 } },
	  6,
	  "refused-no-report" },
	{ "the report of a refused sleep has no reason",
	  SUSPEND_ALL "[Host]\nS3=refuse\n",
	  { { "1000000 sleep-refused -\n", 1,
	      .report = "{\"result\":\"failed\",\"slept_us\":null,\"detail\":\"\"}" } },
	  6,
	  "refused-no-reason" },
	/* law 6: status */
	{ "status does not list a guest that is kept suspended",
	  GUESTS_ONLY STATUS "[Guest \"web\"]\n",
	  { { DOWN("web"), 0 }, { "", 0, .out = "{\"held\":[]}" } },
	  6,
	  "status-silent" },
	{ "status lists a guest that runs",
	  STATUS "[Guest \"web\"]\n",
	  { { "", 0, .out = "{\"held\":[{\"guest\":\"web\"}]}" } },
	  6,
	  "status-false" },
	{ "status returns 0 while a guest is suspended against its will",
	  SUSPEND_ALL STATUS "[Guest \"web\"]\nFail=resume\n",
	  { { DOWN("web") SLEEP "9200000 resume-failed web\n", 6, .err = "web is suspended" },
	    { "", 0, .out = "{\"held\":[{\"guest\":\"web\"}]}" } },
	  6,
	  "status-code" },
	{ "status returns 0 while a guest is suspended late that was not named",
	  SUSPEND_ALL "#$ run suspend net\n" STATUS "[Guest \"net\"]\n[Guest \"web\"]\n",
	  { { "1000000 requested web\n1000000 acknowledged web\n2000000 paused web\n" SLEEP
	      "9200000 unpaused web\n",
	      3, .err = "web was paused" },
	    { "9300000 requested net\n9300000 acknowledged net\n9310000 suspended web\n"
	      "9330000 suspended net\n",
	      0 },
	    { "", 0, .out = "{\"held\":[{\"guest\":\"net\"},{\"guest\":\"web\"}]}" } },
	  6,
	  "status-code" },
	{ "status --json prints no object",
	  STATUS,
	  { { "", 0, .out = "idle\n" } },
	  0,
	  "status-no-json" },
	/* the contract of commands */
	{ "a command crashes", SUSPEND_ALL, { { "", 139 } }, 0, "crashed" },
	{ "a command returns an unknown code", SUSPEND_ALL, { { "", 7 } }, 0, "unknown-code" },
	{ "a bad value keeps resume-all from running",
	  "#$ config [Coordinator]\n#$ config Deadline=30sec onds\n" RESUME_ALL,
	  { { "", 2 } },
	  0,
	  "refused" },
	{ "a missing configuration keeps resume-all from running",
	  "#$ run resume-all --config=/dev/null/none\n",
	  { { "", 2 } },
	  0,
	  "refused" },
	{ "a host with S3 cannot sleep", SUSPEND_ALL, { { "", 4 } }, 0, "unsupported" },
	{ "a command is busy with itself", SUSPEND_ALL, { { "", 5 } }, 0, "busy" },
	{ "resume-all fails on nothing", RESUME_ALL, { { "", 1 } }, 0, "resume-failed-code" },
	{ "a second resume-all fails",
	  RESUME_ALL RESUME_ALL,
	  { { "", 0 }, { "", 3 } },
	  0,
	  "second-resume-code" },
	{ "a second resume-all acts",
	  GUESTS_ONLY RESUME_ALL RESUME_ALL "[Guest \"web\"]\n",
	  { { DOWN("web"), 0 }, { UP("web"), 0 }, { "9300000 retracted web\n", 0 } },
	  0,
	  "second-resume-acts" },

	/* ---- none ---- */
	{ .name = "a whole cycle",
	  .world = SUSPEND_ALL STATUS RESUME_ALL NET_AND_WEB,
	  .seen = { { DOWN("web") DOWN("net") SLEEP UP("net") UP("web"), 0,
		      .report = "{\"result\":\"ok\",\"slept_us\":5,\"guests\":["
				"{\"name\":\"web\",\"outcome\":\"suspended\"},"
				"{\"name\":\"net\",\"outcome\":\"suspended\"}]}" },
		    { "", 0, .out = "{\"held\":[]}" },
		    { "", 0 } } },
	{ .name = "guests that need each other in a loop",
	  .world = SUSPEND_ALL "[Guest \"a\"]\nNeeds=b\n[Guest \"b\"]\nNeeds=a\n",
	  .seen = { { DOWN("a") DOWN("b") SLEEP UP("a") UP("b"), 0, .report = REPORT_OK } } },
	{ .name = "a false claim",
	  .world = SUSPEND_ALL "[Guest \"a\"]\nClaims=b\n[Guest \"b\"]\n",
	  .seen = { { DOWN("b") DOWN("a") SLEEP UP("a") UP("b"), 0, .report = REPORT_OK } } },
	{ .name = "guests that are kept suspended",
	  .world = GUESTS_ONLY STATUS "#$ run resume web\n" RESUME_ALL NET_AND_WEB,
	  .seen = { { DOWN("web") DOWN("net"), 0 },
		    { "", 0, .out = "{\"held\":[{\"guest\":\"web\"},{\"guest\":\"net\"}]}" },
		    { UP("net") UP("web"), 0 },
		    { "", 0 } } },
	{ .name = "a guest that was paused and is named",
	  .world = SUSPEND_ALL "[Guest \"web\"]\n",
	  .seen = { { "1000000 requested web\n2000000 retracted web\n2000000 paused web\n" SLEEP
		      "9200000 unpaused web\n",
		      3, .err = "web was paused" } } },
	{ .name = "a guest that cannot be resumed and is named",
	  .world = SUSPEND_ALL STATUS "[Guest \"web\"]\nFail=resume\n",
	  .seen = { { DOWN("web") SLEEP "9200000 resume-failed web\n", 6,
		      .err = "web is suspended" },
		    { "", 6, .out = "{\"held\":[{\"guest\":\"web\"}]}" } } },
	{ .name = "an ignored guest that runs while the host sleeps",
	  .world = "#$ config [Guest \"web\"]\n#$ config Policy=ignore\n" SUSPEND_ALL
		   "[Guest \"web\"]\n",
	  .seen = { { SLEEP, 0, .report = REPORT_OK } } },
	{ .name = "a refused sleep with its reason",
	  .world = SUSPEND_ALL "[Host]\nS3=refuse\n",
	  .seen = { { "1000000 sleep-refused -\n", 1,
		      .report =
			      "{\"result\":\"failed\",\"slept_us\":null,\"detail\":\"busy\"}" } } },
	{ .name = "a command that names no guest",
	  .world = "#$ run suspend gone\n[Guest \"web\"]\n",
	  .seen = { { "", 2 } } },
	{ .name = "a guest that leaves before its request is acknowledged",
	  .world = SUSPEND_ALL "[Guest \"web\"]\n",
	  .seen = { { "900000 leaves web\n1000000 requested web\n1001000 died web\n"
		      "1002000 gone web\n" SLEEP,
		      3, .err = "web has shut down" } } },
	{ .name = "a guest whose save has ended is suspended",
	  .world = "#$ run suspend web\n" RESUME_ALL "[Guest \"web\"]\n",
	  .seen = { { "1 save-begins web\n2 saved web\n3 save-ends web\n" DOWN("web"), 0 },
		    { UP("web"), 0 } } },
	{ .name = "a guest that was rebooted, and suspended in its second domain",
	  .world = SUSPEND_ALL "[Guest \"web\"]\nState=rebooting\n",
	  .seen = { { "900000 rebooted web\n" DOWN("web") SLEEP UP("web"), 3,
		      .err = "web was rebooted",
		      .report =
			      "{\"result\":\"degraded\",\"slept_us\":5,\"guests\":[{\"name\":\"web\","
			      "\"outcome\":\"skipped\"},{\"name\":\"web\",\"outcome\":\"suspended\"}]}" } } },
	{ .name = "a guest whose state cannot be read counts as skipped",
	  .world = SUSPEND_ALL "[Host]\nFail=look\n[Guest \"web\"]\n",
	  .seen = { { DOWN("web"), 6, .err = "web is not resumed",
		      .report =
			      "{\"result\":\"failed\",\"slept_us\":null,\"detail\":\"no\",\"guests\":"
			      "[{\"name\":\"web\",\"outcome\":\"skipped\",\"stranded\":true}]}" } } },
	{ .name = "a guest that runs because the cycle has failed",
	  .world = GUESTS_ONLY "[Guest \"web\"]\n[Guest \"net\"]\nFail=look\n",
	  .seen = { { DOWN("net"), 6, .err = "pmcoord: cycle 1 failed: net did not suspend" } } },
	{ .name = "a guest that suspends late while others are resumed",
	  .world = SUSPEND_ALL NET_AND_WEB,
	  .seen = { { "1000000 requested web\n1000000 acknowledged web\n1500000 paused web\n"
		      "1500000 requested net\n1500000 acknowledged net\n1600000 paused net\n" SLEEP
		      "9200000 unpaused net\n9200050 suspended net\n9200060 unpaused web\n"
		      "9200900 resumed net\n",
		      3, .err = "web and net were paused" } } },
	{ .name = "a guest whose user has resumed it with --force while it was saved",
	  .world = "#$ run resume --force web\n#$ pass 1min\n[Guest \"web\"]\nState=saving\n",
	  .seen = { { "950000 saved web\n1000000 resumed web\n", 0 },
		    { "2000000 save-broken web\n" } } },
	{ .name = "a guest that is being built, and built while the host goes to sleep",
	  .world = SUSPEND_ALL "[Guest \"new\"]\nState=being-built\n",
	  .seen = { { "1000000 paused new\n1050000 built new\n" SLEEP "9200000 unpaused new\n", 0,
		      .report = "{\"result\":\"ok\",\"slept_us\":5,\"guests\":[{\"name\":\"new\","
				"\"outcome\":\"skipped\",\"detail\":\"is being built\"}]}" } } },
	{ .name = "a killed command keeps no guest that a later one has to suspend",
	  .world = "#$ kill 5 suspend web\n" SUSPEND_ALL "[Guest \"web\"]\nFail=look\n",
	  .seen = { { "1000000 requested web\n1000000 acknowledged web\n", 137 },
		    { DOWN("web") SLEEP, 6, .err = "web is suspended" } } },
	{ .name = "a guest that its user wants back, and that could not be resumed",
	  .world = GUESTS_ONLY "#$ run resume web\n" SUSPEND_ALL "[Guest \"web\"]\nFail=look\n",
	  .seen = { { DOWN("web"), 0 },
		    { "", 6, .err = "web is suspended" },
		    { SLEEP, 6, .err = "web is suspended" } } },
	{ .name = "a guest is kept whose earlier resume was repeated",
	  .world = "#$ kill 5 suspend-all\n" GUESTS_ONLY SUSPEND_ALL
		   "[Guest \"web\"]\nFail=resume:1\n",
	  .seen = { { "900000 requested web\n900000 acknowledged web\n", 137 },
		    { "930000 suspended web\n930000 resume-failed web\n"
		      "940000 resumed web\n" DOWN("web"),
		      0 },
		    { SLEEP, 0, .report = REPORT_OK } } },
	{ .name = "a guest that suspends late is kept with all others",
	  .world = SUSPEND_ALL GUESTS_ONLY STATUS "[Guest \"net\"]\n[Guest \"web\"]\n",
	  .seen = { { DOWN("net") "1000000 requested web\n1000000 acknowledged web\n2000000 paused web\n" SLEEP
			      UP("net") "9200000 unpaused web\n",
		      3, .err = "web was paused" },
		    { "9300000 requested net\n9300000 acknowledged net\n9310000 suspended web\n"
		      "9330000 suspended net\n",
		      0 },
		    { "", 0, .out = "{\"held\":[{\"guest\":\"net\"},{\"guest\":\"web\"}]}" } } },
	{ .name = "a guest that appears at the moment in which one that it needs is paused",
	  .world = GUESTS_ONLY "[Guest \"net\"]\n[Guest \"new\"]\nNeeds=net\nAppearsAfter=1s\n",
	  .seen = { { "1000000 requested net\n2000000 appeared new\n2000119 paused net\n"
		      "2001300 requested new\n2001300 acknowledged new\n2030000 suspended new\n",
		      3, .err = "net was paused; also new" } } },
	{ .name = "a guest is created during a cycle, before its first pause",
	  .world = SUSPEND_ALL "[Guest \"new\"]\nState=being-built\nAppearsAfter=1ms\n",
	  .seen = { { "900000 created new\n1000000 paused new\n" SLEEP "9200000 unpaused new\n", 3,
		      .report = "{\"result\":\"degraded\",\"slept_us\":5,\"guests\":[{\"name\":\"new\",\"outcome\":\"skipped\",\"detail\":\"is being built\",\"appeared\":true,\"degraded\":true}]}" } } },
	{ .name = "a guest is suspended after its user has broken its save",
	  .world = "#$ run resume --force web\n" SUSPEND_ALL "[Guest \"web\"]\nState=saving\n",
	  .seen = { { "950000 saved web\n960000 resumed web\n", 0 },
		    { DOWN("web") SLEEP UP("web"), 0,
		      .report = "{\"result\":\"ok\",\"slept_us\":5,\"guests\":[{\"name\":\"web\","
				"\"outcome\":\"suspended\"}]}" } } },
	{ .name = "a killed command",
	  .world = "#$ kill 5 suspend-all\n" RESUME_ALL "[Guest \"web\"]\n",
	  .seen = { { DOWN("web"), 137 }, { UP("web"), 0 } } },
};

#pragma GCC diagnostic pop

/* ---- the tests ---------------------------------------------------------- */

static void parse_text(const char *text, struct world *ret_world)
{
	_cleanup_(fclosep) FILE *file = fmemopen((void *)(uintptr_t)text, strlen(text), "r");

	assert_non_null(file);
	assert_int_equal(world_parse(file, "example", ret_world), 0);
}

static char *copy(const char *text)
{
	char *copy = strdup(text ? text : "");

	assert_non_null(copy);
	return copy;
}

static void add_step(struct history *history, const struct seen *seen, size_t i)
{
	struct outcome *outcome = &history->outcomes[history->n_outcomes++];

	outcome->first = history->n_happenings;
	assert_int_equal(history_add_lines(history, seen->log), 0);
	outcome->end = history->n_happenings;
	outcome->code = seen->code;
	outcome->was_killed = history->world->steps[i].type == STEP_KILL;
	outcome->out = copy(seen->out);
	outcome->err = copy(seen->err);
	outcome->report = seen->report ? copy(seen->report) : NULL;
}

static void judge_example(const struct example *example, struct verdict *ret_verdict)
{
	static struct world world;
	struct history history = { .world = &world };

	parse_text(example->world, &world);
	for (size_t i = 0; i < world.n_steps; i++)
		add_step(&history, &example->seen[i], i);
	laws_judge(&history, ret_verdict);
	history_done(&history);
}

static void test_example(void **state)
{
	const struct example *example = *state;
	static struct verdict verdict;

	judge_example(example, &verdict);
	if (!example->kind && verdict.n > 0)
		fail_msg("law %d complains: %s: %s", verdict.complaints[0].law,
			 verdict.complaints[0].kind, verdict.complaints[0].text);
	for (size_t i = 0; example->kind && i < verdict.n; i++)
		if (verdict.complaints[i].law == example->law &&
		    strcmp(verdict.complaints[i].kind, example->kind) == 0)
			return;
	if (example->kind)
		fail_msg("law %d does not complain of '%s'", example->law, example->kind);
}

static void a_cause_is_known_by_all_of_its_words(void **state)
{
	char cause[CAUSE_MAX] = "suspends g:State=paused after=suspend o:Agent=yes";
	struct complaint complaint = { .law = 6,
				       .kind = "ok-but-died",
				       .cause = "suspends g:State=paused h:S3=refuse" };
	struct known known = { .law = 6,
			       .kind = "ok-but-died",
			       .cause = "suspends g:State=paused" };

	(void)state;
	assert_true(known_matches(&known, &complaint));
	known.law = 3;
	assert_false(known_matches(&known, &complaint));
	known.law = 6;
	strcpy(known.cause, "suspends g:State=paused g:Agent=yes");
	assert_false(known_matches(&known, &complaint));
	strcpy(known.cause, "suspends g:State=pau");
	assert_false(known_matches(&known, &complaint));
	cause_shorten(cause);
	assert_string_equal(cause, "suspends g:State=paused");
	strcpy(cause, "resumes g:State=paused damage=reports-unwritable");
	cause_shorten(cause);
	assert_string_equal(cause, "resumes damage=reports-unwritable");
}

/* Takes the words of a cause out of a world, for a complaint about `g1` and the third step. */
static void assert_without(const char *words, const char *expected)
{
	static struct world world;
	char *printed = NULL;
	size_t size;
	FILE *file = open_memstream(&printed, &size);

	parse_text("#$ config Policy=pause\n#$ config Deadline=3s\n#$ damage reports-file\n"
		   "#$ kill 3 suspend-all\n#$ run resume-all --config=/dev/null/none\n"
		   "#$ run suspend-all\n[Host]\nS3=refuse\n"
		   "[Guest \"g1\"]\nState=saving\nLateTime=45s\n[Guest \"g2\"]\nState=saving\n",
		   &world);
	assert_non_null(file);
	cause_remove(&world, 2, 0, words);
	world_print(&world, file);
	fclose(file);
	assert_string_equal(printed, expected);
	free(printed);
}

#define FILES "#$ config Policy=pause\n#$ config Deadline=3s\n#$ damage reports-file\n"
#define RUNS                                                                                       \
	"#$ kill 3 suspend-all\n#$ run resume-all --config=/dev/null/none\n#$ run suspend-all\n"
#define G1 "[Guest \"g1\"]\nState=saving\nLateTime=45s\n"
#define G2 "[Guest \"g2\"]\nState=saving\n"

static void a_world_can_be_without_a_cause(void **state)
{
	(void)state;
	assert_without("resumes", FILES RUNS "[Host]\nS3=refuse\n" G1 G2);
	assert_without("suspends h:S3=refuse o:saved", FILES RUNS G1 "[Guest \"g2\"]\n");
	assert_without("g:saved g:late", FILES RUNS "[Host]\nS3=refuse\n[Guest \"g1\"]\n" G2);
	assert_without("c:Policy=pause c:Deadline damage=reports-unwritable",
		       RUNS "[Host]\nS3=refuse\n" G1 G2);
	assert_without("killed c:nonexistent",
		       FILES "#$ run suspend-all\n#$ run resume-all\n#$ run suspend-all\n"
			     "[Host]\nS3=refuse\n" G1 G2);
}

int main(void)
{
	struct CMUnitTest tests[ELEMENTSOF(examples) + 2];

	for (size_t i = 0; i < ELEMENTSOF(examples); i++)
		tests[i] = (struct CMUnitTest){
			.name = examples[i].name,
			.test_func = test_example,
			.initial_state = (void *)(uintptr_t)&examples[i],
		};
	tests[ELEMENTSOF(examples)] =
		(struct CMUnitTest)cmocka_unit_test(a_cause_is_known_by_all_of_its_words);
	tests[ELEMENTSOF(examples) + 1] =
		(struct CMUnitTest)cmocka_unit_test(a_world_can_be_without_a_cause);
	return cmocka_run_group_tests_name("laws", tests, NULL, NULL);
}
