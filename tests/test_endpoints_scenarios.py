"""Which test proves which promise of the rotation; the numbers stand beside the tests too.

 1 calls go A, B, A, B                     rotation: test_calls_alternate_strictly
 2 two roles on the same endpoints         failover: test_roles_on_the_same_endpoints_each_alternate
 3 64 threads, exact counts                rotation: test_64_threads_get_exact_shares
 4 one of three down                       failover: test_one_of_three_dead_is_tried_once_a_window_and_nothing_is_lost
 5 all down: one error with all            rough: test_all_silent_is_one_error_within_the_sum_of_their_limits
 6 recovery: one probe, late ones ignored  states: test_50_threads_on_an_endpoint_that_is_back_make_one_probe
                                           states: test_a_lost_probe_is_replaced_and_says_nothing_when_it_comes_late
 7 a slow endpoint with a cap              waiting: test_a_slow_endpoint_does_not_hold_the_quick_one_back
 8 hang before headers, header drip        deadlines: test_the_first_byte_limit
 9 hang after headers                      deadlines: test_the_first_byte_limit
10 hang in the middle                      failover: test_a_hang_in_the_middle_goes_elsewhere_only_while_nothing_was_delivered
11 byte drip                               deadlines: test_the_idle_limit
                                           deadlines: test_the_total_limit_beats_tokens_that_keep_coming
12 lines and characters cut anywhere       rough: test_lines_arrive_whole_however_they_are_cut
                                           wires: test_characters_split_between_packets_survive
13 an end without done                     rough: test_a_whole_reply_that_says_it_is_not_done_is_no_success
                                           wires: test_an_end_without_finish_is_no_success
14 errors within a stream                  rough: test_first_error_goes_elsewhere_later_error_interrupts
15 a model that one or all lack            failover: test_a_missing_model_is_served_elsewhere_and_remembered
                                           failover: test_a_model_missing_everywhere_says_how_to_pull_it
16 a storm of 503, Retry-After             strategies: test_a_storm_of_503_gets_next_to_no_calls
                                           wires: test_rate_limits_last_as_long_as_the_server_says
17 resets                                  rough: test_a_reset_before_headers
                                           rough: test_a_reset_in_the_middle
18 names that fail or hang                 dns: test_a_name_that_hangs_costs_its_own_limit_and_no_call
                                           dns: test_an_unknown_name_is_avoided_for_half_a_minute
19 certificates, wrong scheme              tls: test_an_untrusted_certificate_is_refused_with_what_to_do
                                           failover: test_an_unknown_host_and_a_wrong_scheme_are_named
20 redirects                               rough: test_redirects_are_never_followed_even_in_a_loop
21 bodies without end, long lines, bombs   rough: test_a_body_without_end_is_stopped_at_its_limit
                                           rough: test_a_gzip_bomb_is_stopped_at_the_limit_of_what_it_unpacks_to
                                           wires: test_a_line_of_8_mib_is_quick_and_a_longer_one_refused
22 what is no reply though HTTP says 200   wires: test_server_sent_events
                                           rough: test_an_error_that_ollamas_v1_swallows_is_noticed
23 kept sockets that the server closes     failover: test_a_kept_connection_that_the_server_closed_is_replaced_silently
                                           rough: test_a_socket_that_was_idle_for_4_seconds_is_not_used_again
24 changes while calls stream              changes: test_a_change_drops_no_call_that_streams
                                           changes: test_turns_go_on_through_additions_and_new_orders
                                           changes: test_a_file_that_is_wrong_changes_nothing
25 drain                                   states: test_drained_and_disabled_ones_get_no_new_calls_and_say_so
                                           changes: test_a_change_drops_no_call_that_streams
26 cancel, and a caller that breaks off    soak: test_a_cancel_in_a_full_house_frees_its_slot
                                           deadlines: test_a_cancel_reaches_the_server
                                           deadlines: test_an_error_in_the_watcher_frees_the_endpoint_and_its_socket
27 the queue: bound, order, time           queue: test_a_released_slot_goes_to_who_waited_first
                                           queue: test_the_queue_is_bounded
                                           waiting: test_a_call_that_waited_in_vain_says_where_it_stood
28 secrets                                 secrets: test_no_secret_is_told_even_where_a_server_repeats_it
29 proxies in the environment              failover: test_proxies_in_the_environment_are_ignored
30 fork                                    soak: test_a_forked_process_has_threads_and_sockets_of_its_own
31 what it costs                           soak: test_a_call_costs_little_more_than_a_bare_request
                                           soak: test_taking_and_giving_back_a_lease_costs_microseconds
32 100,000 calls with random faults        soak: test_100_000_leases_with_random_faults_leave_nothing_behind
                                           soak: test_calls_over_sockets_with_random_faults_leak_nothing
33 a full backlog                          deadlines: test_a_server_that_does_not_accept_runs_into_the_connect_limit
"""  # noqa: E501  a table of names

from __future__ import annotations

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent


def test_every_scenario_has_a_test_that_is_there() -> None:
    table = __doc__ or ""
    numbers = [int(found) for found in re.findall(r"^ ?(\d+) ", table, re.M)]
    assert numbers == list(range(1, 34))
    named = re.findall(r"(\w+): (test_\w+)$", table, re.M)
    assert len(named) >= len(numbers)
    for file, name in named:
        tree = ast.parse((HERE / f"test_endpoints_{file}.py").read_text("utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, name
