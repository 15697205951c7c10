//! The table of all scenarios: what they are, what removes their mechanism, and the result of the
//! run.
//!
//! The run itself writes `target/nat-matrix.md`. When the last scenario is over, that text must
//! equal the committed `tests/NAT-MATRIX.md` (`SNAPSHOTS=overwrite` writes it), so the page in the
//! docs is never an old promise. A run of some scenarios only, or against another server
//! (`FTP_TEST_SERVER`), compares nothing.

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write;
use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;

/// A scenario: a test, and a line of the table.
struct Row {
    /// The test's path beneath `nat::`.
    test: &'static str,
    scenario: &'static str,
    /// A test that fails to get through, or, after "code:", what a mutation of the server takes
    /// away.
    off: &'static str,
}

/// Runs a scenario, and records its result or that it failed.
pub(super) fn scenario(test: &'static str, run: impl FnOnce() -> &'static str) {
    assert!(
        ROWS.iter().any(|row| row.test == test),
        "{test} is not in the matrix"
    );
    // A thread that runs a test has its name.
    if let Some(name) = thread::current()
        .name()
        .and_then(|name| name.strip_prefix("nat::"))
    {
        assert_eq!(name, test, "the test has another name in the matrix");
    }
    let result = panic::catch_unwind(AssertUnwindSafe(run));
    let said = *result.as_ref().unwrap_or(&"**fails**");
    let complete = {
        let mut said_by = RESULTS.lock().unwrap_or_else(PoisonError::into_inner);
        said_by.insert(test, said);
        table(&said_by)
    };
    if let Err(panic) = result {
        write_run(complete);
        panic::resume_unwind(panic);
    }
    if let Some(text) = write_run(complete) {
        compare(&text);
    }
}

/// The whole page, once every scenario has a result.
fn table(said_by: &BTreeMap<&str, &str>) -> Option<String> {
    let mut text = String::from(HEAD);
    for row in ROWS {
        let said = said_by.get(row.test)?;
        writeln!(
            text,
            "| {} | {} | `{}` | {said} |",
            row.scenario, row.off, row.test
        )
        .expect("text");
    }
    Some(text)
}

fn write_run(text: Option<String>) -> Option<String> {
    let text = text?;
    let test = env::current_exe().expect("the test's own path");
    let build = test.ancestors().nth(3).expect("target/PROFILE/deps/it-…");
    fs::write(build.join("nat-matrix.md"), &text).expect("the matrix of this run");
    Some(text)
}

fn compare(text: &str) {
    if env::var_os("FTP_TEST_SERVER").is_some_and(|command| !command.is_empty()) {
        return;
    }
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("NAT-MATRIX.md");
    if env::var("SNAPSHOTS").is_ok_and(|action| action == "overwrite") {
        fs::write(&page, text).expect("the page");
    }
    let committed = fs::read_to_string(&page).unwrap_or_default();
    assert!(
        committed == text,
        "tests/NAT-MATRIX.md is not what this run says; SNAPSHOTS=overwrite writes it:\n{text}"
    );
}

static RESULTS: Mutex<BTreeMap<&'static str, &'static str>> = Mutex::new(BTreeMap::new());

const HEAD: &str = "\
# The server and its clients on all sides of a NAT router

Written by `tests/run nat` (`SNAPSHOTS=overwrite` replaces it): each line is a test beneath `tests/it/nat/`, and
`tests/it/nat.rs` draws the lab. The second column says what must be missing for the scenario to fail: the test that
leaves a flag or a rule out and expects the failure, or, after \"code\", a mutation of the server that was tried by hand.

| scenario | switched off by | test | this server |
|---|---|---|---|
";

const ROWS: &[Row] = &[
    Row {
        test: "masquerade::masquerade_and_range_serve_clients_outside",
        scenario: "clients outside that trust, ignore or never ask for the address of a 227",
        off: "`masquerade::clients_outside_fail_without_masquerade`, `masquerade::clients_outside_fail_without_the_forwarded_range`",
    },
    Row {
        test: "masquerade::two_addresses_work_on_one_listener",
        scenario: "two public addresses for two private ones of one dual-stack listener",
        off: "`masquerade::one_address_fails_clients_of_the_second`",
    },
    Row {
        test: "two_addresses::data_goes_straight_to_the_second_address",
        scenario: "control through a balancer, data straight to another address of the server's",
        off: "code: that passive ports are open on an announced address of this machine",
    },
    Row {
        test: "two_addresses::a_trusted_balancer_may_replace_addresses",
        scenario: "the same where the balancer replaces the client's address",
        off: "`two_addresses::another_balancer_must_not_replace_addresses`",
    },
    Row {
        test: "two_addresses::clients_turn_to_pasv_without_epsv",
        scenario: "the same where EPSV is denied: a client that begins with it",
        off: "`two_addresses::epsv_leads_to_the_other_address`",
    },
    Row {
        test: "masquerade::a_local_client_gets_the_local_address",
        scenario: "a client in the server's network, which no flag names",
        off: "`masquerade::local_clients_fail_without_local_networks`",
    },
    Row {
        test: "masquerade::a_hairpinned_client_gets_the_public_address",
        scenario: "a client in the server's network that connects to the public address",
        off: "`masquerade::a_hairpinned_client_fails_with_the_local_address`",
    },
    Row {
        test: "host_names::the_announced_address_follows_the_resolver",
        scenario: "the public address changes, and its name with it, during a session",
        off: "`host_names::a_rare_refresh_announces_the_old_address`",
    },
    Row {
        test: "host_names::the_last_address_outlives_a_silent_resolver",
        scenario: "the resolver stops answering; later it answers again, with another address",
        off: "code: threads for lookups",
    },
    Row {
        test: "host_names::nothing_waits_for_a_silent_resolver",
        scenario: "the resolver is silent from the start: logins, SIGHUP, SIGTERM",
        off: "code: threads for lookups",
    },
    Row {
        test: "host_names::a_name_may_be_unknown_at_start",
        scenario: "a name that does not exist yet",
        off: "code: looking it up again",
    },
    Row {
        test: "host_names::every_rule_takes_host_names",
        scenario: "names in the map and for client networks, beside one that gets no answer",
        off: "code: a thread for each name",
    },
    Row {
        test: "stun::the_announced_address_is_what_a_stun_server_sees",
        scenario: "the public address by STUN: coturn outside; the address changes; coturn is gone",
        off: "code: the last good answer stays",
    },
    Row {
        test: "port_mapping::clients_outside_are_served_through_pcp",
        scenario: "the router forwards by itself: miniupnpd, by PCP",
        off: "`port_mapping::clients_outside_fail_without_port_mapping`",
    },
    Row {
        test: "port_mapping::clients_outside_are_served_through_nat_pmp",
        scenario: "the same by NAT-PMP",
        off: "`port_mapping::clients_outside_fail_without_port_mapping`",
    },
    Row {
        test: "port_mapping::clients_outside_are_served_through_upnp",
        scenario: "the same by UPnP IGD",
        off: "`port_mapping::clients_outside_fail_without_port_mapping`",
    },
    Row {
        test: "port_mapping::pinhole::clients_outside_are_let_in_by_pcp",
        scenario: "IPv6: the router's firewall lets clients in by itself: miniupnpd, by PCP",
        off: "`port_mapping::pinhole::clients_outside_are_not_let_in_without_port_mapping`",
    },
    Row {
        test: "port_mapping::pinhole::clients_outside_are_let_in_by_upnp",
        scenario: "the same by UPnP IGD 2",
        off: "`port_mapping::pinhole::clients_outside_are_not_let_in_without_port_mapping`",
    },
    Row {
        test: "networks::local_networks_come_and_go",
        scenario: "a VPN's network comes and goes during a session",
        off: "`networks::networks_do_not_matter_where_none_is_local`",
    },
    Row {
        test: "networks::routes_over_a_vpn_make_clients_local",
        scenario: "a VPN whose interface has a /32 address; a route to its network comes and goes",
        off: "code: that routes without a gateway are networks",
    },
    Row {
        test: "networks::a_new_interface_brings_its_network",
        scenario: "an interface that appears while the server runs",
        off: "`networks::networks_do_not_matter_where_none_is_local`",
    },
    Row {
        test: "networks::more_changes_than_the_kernel_can_report",
        scenario: "a flood of changes while the server is stopped",
        off: "code: that a full netlink socket is a change",
    },
    Row {
        test: "networks::gateways_follow_the_routes",
        scenario: "the default route changes: another router is not local",
        off: "code: route messages of the netlink socket",
    },
    Row {
        test: "never_connected::an_announced_private_address_is_named",
        scenario: "a client outside that trusts the 227 of a server without any flag",
        off: "`never_connected::nothing_is_logged_where_the_range_is_forwarded`",
    },
    Row {
        test: "never_connected::ports_that_are_not_forwarded_are_named",
        scenario: "six clients outside, and ports that the router does not forward",
        off: "`never_connected::nothing_is_logged_where_the_range_is_forwarded`",
    },
    Row {
        test: "never_connected::a_client_that_gives_up_is_logged",
        scenario: "a client that gives up after 4 s, long before the server does",
        off: "`never_connected::a_client_that_quits_at_once_is_not_logged`",
    },
    Row {
        test: "sites::the_server_names_the_cure",
        scenario: "the sites of the guide where a client does not get through",
        off: "`sites::long_every_cure_that_is_named_works`",
    },
    Row {
        test: "extended_passive::epsv_is_served",
        scenario: "EPSV, EPSV 1, EPSV 2",
        off: "`extended_passive::epsv_fails_without_the_forwarded_range`",
    },
    Row {
        test: "extended_passive::epsv_all_refuses_other_commands",
        scenario: "EPSV ALL, which lasts",
        off: "code: that EPSV ALL is remembered",
    },
    Row {
        test: "ipv6::pasv_is_refused_over_ipv6",
        scenario: "PASV on an IPv6 session",
        off: "code: the family check of PASV",
    },
    Row {
        test: "ipv6::epsv_and_eprt_work_over_ipv6",
        scenario: "EPSV and EPRT over IPv6, around the NAT",
        off: "`ipv6::an_ipv4_listener_serves_no_ipv6_client`",
    },
    Row {
        test: "conntrack::helper_serves_clients_without_masquerade",
        scenario: "a router with a conntrack helper; the server has no masquerade address",
        off: "`conntrack::clients_fail_without_helper_and_masquerade`",
    },
    Row {
        test: "conntrack::helper_and_masquerade_serve_clients",
        scenario: "a router with a conntrack helper; masquerade and range",
        off: "`conntrack::helper_and_masquerade_need_the_range`",
    },
    Row {
        test: "tls::tls_passes_a_router_that_reads_along",
        scenario: "TLS through such a router, which can read nothing; also from behind a second NAT",
        off: "`tls::tls_fails_without_masquerade_behind_a_helper`",
    },
    Row {
        test: "active::data_comes_from_the_address_that_the_client_knows",
        scenario: "active mode through the router, to both public addresses",
        off: "code: the local address of active connections",
    },
    Row {
        test: "active::a_device_behind_one_to_one_nat_is_served",
        scenario: "active mode of a device behind 1:1 NAT, which names its private address",
        off: "`active::a_device_behind_one_to_one_nat_fails_with_foreign_addresses`",
    },
    Row {
        test: "active::active_mode_is_refused_behind_another_nat",
        scenario: "active mode from behind another NAT: refused after one try, lftp changes to PASV",
        off: "`active::a_device_behind_one_to_one_nat_fails_with_foreign_addresses`",
    },
    Row {
        test: "strangers::one_stranger_is_refused",
        scenario: "a stranger on the data port, before and after 150",
        off: "`strangers::strangers_are_served_with_foreign_addresses`",
    },
    Row {
        test: "strangers::five_strangers_are_refused",
        scenario: "five strangers, before and after 150",
        off: "code: the loop around accept",
    },
    Row {
        test: "strangers::a_thousand_strangers_are_refused",
        scenario: "a thousand strangers, before and after 150",
        off: "code: a backlog for more than a few",
    },
    Row {
        test: "strangers::a_hundred_strangers_at_once_are_refused",
        scenario: "a hundred strangers in one moment, before the client",
        off: "code: going on after as many strangers as one turn is for",
    },
    Row {
        test: "strangers::strangers_leave_no_bytes_in_an_upload",
        scenario: "a stranger that sends a file where the client uploads",
        off: "code: the peer check of data connections",
    },
    Row {
        test: "fxp::fxp_works_between_two_servers",
        scenario: "lftp sends files between two of these servers, both ways",
        off: "`fxp::fxp_is_refused_by_default`",
    },
    Row {
        test: "keepalive::keepalive_is_armed",
        scenario: "keepalive of an idle control connection",
        off: "code: keepalive; `keepalive::long_idle_connections_survive_a_router_that_forgets`",
    },
    Row {
        test: "scarce_ports::twenty_curls_share_two_ports",
        scenario: "20 curl at once on 2 ports, from 1 address and from 20 that are far apart",
        off: "code: the queue for ports",
    },
    Row {
        test: "scarce_ports::twenty_lftps_share_two_ports",
        scenario: "20 lftp at once on 2 ports, from 1 address and from 20 that are far apart",
        off: "code: the queue for ports",
    },
    Row {
        test: "scarce_ports::twenty_late_clients_share_two_ports",
        scenario: "20 clients on 2 ports that connect up to 3 s late, from 1 address and from 20 that are far apart",
        off: "`scarce_ports::a_short_passive_timeout_fails_late_clients`",
    },
    Row {
        test: "scarce_ports::eight_clients_share_one_port",
        scenario: "8 curl, 8 lftp and 8 late clients on 1 port, from 1 address and from 8 that are far apart",
        off: "code: the queue for ports",
    },
    Row {
        test: "scarce_ports::a_port_is_free_once_its_client_has_connected",
        scenario: "8 downloads that run at the same time on 1 port",
        off: "code: releasing the port while the transfer runs",
    },
    Row {
        test: "scarce_ports::clients_that_never_connect_starve_no_other",
        scenario: "two sessions that ask for ports again and again and never connect",
        off: "code: yielding to those who wait",
    },
    Row {
        test: "shared_port::two_hundred_clients_share_one_port",
        scenario: "200 clients of addresses that are far apart on 1 port",
        off: "`shared_port::foreign_addresses_take_turns`",
    },
    Row {
        test: "shared_port::two_hundred_neighbours_take_turns",
        scenario: "200 clients of one network on 1 port",
        off: "code: the queue for ports",
    },
    Row {
        test: "shared_port::two_sessions_of_one_address_take_turns",
        scenario: "two sessions of one address, and another client, on 1 port",
        off: "code: comparing the addresses of owners",
    },
    Row {
        test: "outer_ports::clients_outside_get_outer_ports",
        scenario: "a router that forwards 50000-50009 to 60000-60009",
        off: "`outer_ports::clients_outside_fail_without_outer_ports`",
    },
    Row {
        test: "outer_ports::local_and_ipv6_clients_get_inner_ports",
        scenario: "local and IPv6 clients of a server behind such a router",
        off: "code: the side of the port in the announcement",
    },
    Row {
        test: "guide::one_router",
        scenario: "the guide's set-up: one router",
        off: "`printed_rules::clients_fail_without_the_rules`",
    },
    Row {
        test: "guide::two_public_addresses",
        scenario: "the guide's set-up: two public addresses",
        off: "`printed_rules::clients_fail_without_the_rules`",
    },
    Row {
        test: "guide::an_address_that_changes",
        scenario: "the guide's set-up: an address that changes",
        off: "`host_names::a_rare_refresh_announces_the_old_address`",
    },
    Row {
        test: "guide::docker",
        scenario: "the guide's set-up: docker, with and without its proxy",
        off: "`gateway::a_gateway_is_refused_by_default`",
    },
    Row {
        test: "guide::carrier_nat",
        scenario: "the guide's set-up: carrier NAT",
        off: "`ipv6::an_ipv4_listener_serves_no_ipv6_client`",
    },
    Row {
        test: "guide::ipv6_only",
        scenario: "the guide's set-up: IPv6 only",
        off: "`ipv6::an_ipv4_listener_serves_no_ipv6_client`",
    },
    Row {
        test: "guide::one_forwarded_port",
        scenario: "the guide's set-up: one forwarded port, 20 clients",
        off: "`shared_port::foreign_addresses_take_turns`",
    },
    Row {
        test: "gateway::a_trusted_gateway_is_served",
        scenario: "a gateway in the clients' place on the control or on the data connection",
        off: "`gateway::a_gateway_is_refused_by_default`",
    },
    Row {
        test: "gateway::a_network_of_gateways_is_served",
        scenario: "gateways as a network: docker's proxy, and a carrier's NAT with several addresses",
        off: "`gateway::a_gateway_is_refused_by_default`",
    },
    Row {
        test: "gateway::active_mode_through_a_gateway_is_refused",
        scenario: "active mode through a trusted gateway: refused at once, lftp changes to PASV",
        off: "`gateway::active_mode_leads_to_a_gateway_by_default`",
    },
    Row {
        test: "gateway::a_trusted_gateway_admits_no_other_address",
        scenario: "a stranger where a gateway is trusted",
        off: "code: the peer check of data connections",
    },
    Row {
        test: "scarce_ports::the_log_warns_of_a_small_range",
        scenario: "the log: the range is too small, and how long clients waited",
        off: "`scarce_ports::the_log_has_no_warning_while_ports_suffice`",
    },
    Row {
        test: "port_queue::abor_leaves_the_queue",
        scenario: "ABOR while waiting for a port",
        off: "code: ABOR during the wait",
    },
    Row {
        test: "port_queue::quit_leaves_the_queue",
        scenario: "QUIT while waiting for a port",
        off: "code: QUIT during the wait",
    },
    Row {
        test: "port_queue::a_lost_connection_leaves_the_queue",
        scenario: "the control connection is lost while waiting for a port",
        off: "code: the end of the control connection during the wait",
    },
    Row {
        test: "port_queue::the_queue_waits_no_longer_than_the_passive_timeout",
        scenario: "no port is free in time: 425, and the session continues",
        off: "code: the bound of the wait",
    },
    Row {
        test: "ports::all_ports_are_released",
        scenario: "2,000 PASV and EPSV with and without connections on 10 ports",
        off: "code: releasing ports",
    },
    Row {
        test: "ports::a_port_in_use_by_another_program_is_passed_over",
        scenario: "a port that another program uses",
        off: "code: trying another port",
    },
    Row {
        test: "check::check_prints_the_replies_that_clients_get",
        scenario: "`--check` on the server: the replies to clients outside, local, hairpinned, on itself and on IPv6",
        off: "`check::check_fails_without_masquerade`, as it reports",
    },
    Row {
        test: "printed_rules::rules_for_nftables",
        scenario: "`--rules nft` on a router without forwards of its own, once and twice",
        off: "`printed_rules::clients_fail_without_the_rules`",
    },
    Row {
        test: "printed_rules::rules_for_iptables",
        scenario: "`--rules iptables` on the same",
        off: "`printed_rules::clients_fail_without_the_rules`",
    },
    Row {
        test: "printed_rules::rules_for_two_public_addresses",
        scenario: "the printed lines of either kind for two public addresses",
        off: "`printed_rules::clients_fail_without_the_rules`",
    },
    Row {
        test: "printed_rules::rules_for_outer_ports",
        scenario: "the printed lines of either kind for ports that have other numbers outside",
        off: "`printed_rules::outer_ports_must_be_announced`",
    },
    Row {
        test: "printed_rules::rules_for_a_host_name",
        scenario: "the printed lines of either kind for a host name",
        off: "`printed_rules::clients_fail_without_the_rules`",
    },
];
