# SPDX-License-Identifier: LGPL-2.1-or-later
# Unit tests, a program per module: tests/unit/FOLDER/NAME.c
SHARED_TESTS := base/test_error base/test_parse base/test_protocol base/test_ini_file base/test_descriptor_store \
	base/test_clock base/test_segments base/test_enum_name
COORDINATOR_TESTS := \
	model/test_config \
	base/test_numbered_files \
	model/test_domain_id \
	base/test_domid_index \
	model/test_inventory \
	daemon/test_guest_tracker \
	model/test_graph \
	model/test_plan model/test_selection \
	model/test_cycle \
	record/test_journal \
	record/test_report \
	record/test_statistics \
	record/test_series \
	host/test_lock \
	host/test_sleep_manager host/test_logind \
	host/test_sleeper host/test_sleeper_host \
	host/test_sleeper_alarm host/test_memory \
	view/test_show \
	record/test_status \
	record/test_answers \
	record/test_cycle_id record/test_followers \
	check/test_check \
	host/test_host host/test_sleep_conf host/test_wakeup \
	host/test_lid \
	host/test_sleep_jobs \
	host/test_battery \
	engine/test_backoff \
	daemon/test_desktop daemon/test_lease \
	engine/test_deadlines host/test_deferred host/test_loop \
	engine/test_coordinator engine/test_agent_cycles engine/test_disk_errors \
	engine/test_lost_events \
	engine/test_sweeps engine/test_properties engine/test_crashes engine/test_out_of_memory \
	engine/test_job \
	engine/test_prearm \
	xen/test_ports
# Tests in which the double of Xen (tests/fakexen) stands in for Xen's libraries.
XEN_TESTS := \
	xen/test_xen_inventory xen/test_xen_cycle xen/test_xen_daemon xen/test_contract \
	xen/test_xen_verbs xen/test_xen_sweeps xen/test_xen_errors xen/test_xen_states \
	xen/test_xen_recover
AGENT_TESTS := guest-agent/engine/test_agent_machine guest-agent/test_agent_session guest-agent/net/test_agent_links guest-agent/devices/test_agent_inventory \
	guest-agent/engine/test_agent_journal guest-agent/guest/test_agent_settings guest-agent/engine/test_agent_engine \
	guest-agent/engine/test_agent_waits guest-agent/engine/test_agent_out_of_memory \
	guest-agent/test_agent_channel guest-agent/guest/test_agent_freezer guest-agent/guest/test_agent_log \
	guest-agent/guest/test_agent_files guest-agent/guest/test_agent_task guest-agent/guest/test_agent_wake_clock \
	guest-agent/guest/test_agent_kernel_log guest-agent/guest/test_agent_memory guest-agent/net/test_agent_netlink \
	guest-agent/engine/test_agent_failures guest-agent/test_agent_report
# What the agent's tests need beside the agent itself.
AGENT_TEST_PKGS := libsystemd
