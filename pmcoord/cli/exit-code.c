/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/exit-code.h"

#include <errno.h>

#include "record/report.h"

enum exit_code exit_code_of_error(const struct error *error)
{
	static const struct {
		int number;
		enum exit_code code;
	} codes[] = {
		{ EPERM, EXIT_UNSUPPORTED },
		{ EACCES, EXIT_UNSUPPORTED },
		{ ENODEV, EXIT_UNSUPPORTED },
		{ ECONNREFUSED, EXIT_UNSUPPORTED },
		{ EPROTO, EXIT_UNSUPPORTED },
		{ EOPNOTSUPP, EXIT_UNSUPPORTED },
		{ EBUSY, EXIT_BUSY },
		{ ENOENT, EXIT_USAGE },
		{ EBADMSG, EXIT_USAGE },
		{ EINVAL, EXIT_USAGE },
		{ ENOTRECOVERABLE, EXIT_STRANDED },
	};

	for (size_t i = 0; i < ELEMENTSOF(codes); i++)
		if (error->number == -codes[i].number)
			return codes[i].code;
	return EXIT_ROLLED_BACK;
}

enum exit_code exit_code_of_report(struct json_object *report)
{
	if (report_stranded(report))
		return EXIT_STRANDED;
	switch (report_result(report)) {
	case RESULT_OK:
		return EXIT_AS_PLANNED;
	case RESULT_DEGRADED:
		return EXIT_DEGRADED;
	case RESULT_FAILED:
		break;
	}
	return EXIT_ROLLED_BACK;
}
