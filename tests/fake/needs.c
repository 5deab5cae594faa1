/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"
#include "ipsec/lint.h"

/* Tests by what they need: that it is refused where it is left out, is what
 * tests/options/run.sh shows. "*" at the end stands for any rest. The others
 * pass, these would not, and each name is a test's: tests/options/matrix.sh
 * sees to it. */

struct need {
    const char *option, *tests;
};

static const struct need needs[] = {
#ifdef IPSEC_NO_AH
    { "IPSEC_NO_AH",
      "test_ah_* test_alg_every_pair test_alg_layout "
      "test_alg_lengths_of_keys test_an_ah_sa_may_move_to_ipv6_meanwhile "
      "test_attacks_ah_rows test_attacks_esp_icvs "
      "test_attacks_esp_numbers test_attacks_policy_outer_header "
      "test_attacks_policy_selectors test_attacks_wire_* "
      "test_audit_each_event_with_its_fields test_audit_ipsec_protocol "
      "test_dummy_on_the_wrong_sa test_gmac_* "
      "test_group_and_unicast_by_protocol "
      "test_icmp_mtu_propagates_to_the_sender "
      "test_icmp_too_big_lowers_the_mtu_of_its_sa "
      "test_icmp_too_big_needs_a_number_lately_sent test_inbound_random "
      "test_lint_keys_of_ah_are_the_macs "
      "test_lint_peer_of_a_good_pair_is_quiet_from_both_sides "
      "test_lint_peer_says_why_they_cant_talk "
      "test_lint_spd_knows_an_sa_of_the_wrong_kind "
      "test_lint_spd_says_what_users_trip_over test_natt_update_of_ah "
      "test_rfc4301_esp_and_ah_share_an_spi test_rfc4302_* "
      "test_rollover_past_the_last_number "
      "test_spd_add_refuses_each_fault_and_changes_nothing "
      "test_wild_card_next_header_decides "
      "test_wild_card_only_if_asked_for "
      "test_wild_card_source_of_transport_mode" },
#endif
#ifdef IPSEC_NO_NATT
    { "IPSEC_NO_NATT",
      "test_an_sa_that_changed_its_version_meanwhile_seals_nothing "
      "test_group_in_udp test_icmp_udp_quote_of_any_length "
      "test_icmp_udp_without_spi_needs_a_single_sa test_inbound_random "
      "test_keymgmt_follows_a_nat "
      "test_natt_checksum_* test_natt_checksums test_natt_inner_checksum "
      "test_natt_inside_a_stranger_s_tunnel "
      "test_natt_keepalive_in_a_tunnel_is_udp test_natt_mapping_* "
      "test_natt_nests test_natt_plain_esp_binds_the_address_before "
      "test_natt_transport_binds_the_address_after_the_icv "
      "test_natt_update test_natt_update_takes_room "
      "test_natt_update_while_opening test_natt_update_while_sealing "
      "test_sad_add_knows_its_flags "
      "test_sad_add_refuses_each_fault_and_changes_nothing "
      "test_sad_add_that_fails_leaves_a_larval_sa_alone test_udpencap_* "
      "test_wild_card_in_udp" },
#endif
#ifdef IPSEC_NO_ICMP
    { "IPSEC_NO_ICMP",
      "test_icmp_check_and_bundles "
      "test_icmp_check_asks_a_policy_that_protects "
      "test_icmp_check_of_what_an_error_quotes "
      "test_icmp_checksum_must_be_right test_icmp_error_* "
      "test_icmp_mtu_is_* test_icmp_mtu_of_an_example "
      "test_icmp_mtu_of_an_outer_layer "
      "test_icmp_mtu_propagates_to_the_sender "
      "test_icmp_mtu_that_was_learnt_makes_no_less_room "
      "test_icmp_other_errors_tell_no_mtu "
      "test_icmp_protected_too_big_is_heeded_and_delivered "
      "test_icmp_quote_* test_icmp_related_by_class_of_traffic "
      "test_icmp_related_goes_with_the_flow_that_it_quotes "
      "test_icmp_related_in_its_spd test_icmp_related_needs_the_very_sa "
      "test_icmp_related_with_a_cut_quote "
      "test_icmp_too_big_about_others_is_ignored "
      "test_icmp_too_big_by_configuration "
      "test_icmp_too_big_floor_and_ceiling "
      "test_icmp_too_big_in_fragments_is_ignored "
      "test_icmp_too_big_lowers_the_mtu_of_its_sa "
      "test_icmp_too_big_needs_a_number_lately_sent "
      "test_icmp_too_big_only_lowers test_icmp_udp_quote_of_any_length "
      "test_icmp_udp_without_spi_needs_a_single_sa "
      "test_icmp_unrelated_by_type test_inbound_random "
      "test_mtu_set_is_what_ageing_goes_back_to" },
#endif
#ifdef IPSEC_NO_FRAGMENTS
    { "IPSEC_NO_FRAGMENTS",
      "test_frag_bypass_follows_the_first "
      "test_frag_discard_follows_the_first "
      "test_frag_first_in_clear_is_of_no_protected_datagram "
      "test_frag_flood_in_clear_evicts_nothing_protected "
      "test_frag_flood_in_clear_evicts_nothing_sent "
      "test_frag_forged_first_does_not_speak_for_protected "
      "test_frag_ipv6_goes_by_the_first_next_header test_frag_key "
      "test_frag_opaque_policy_by_priority "
      "test_frag_opaque_policy_leaves_the_flow "
      "test_frag_opaque_sa_takes_what_ports_may_not "
      "test_frag_options_may_hide_the_ports "
      "test_frag_ports_need_a_protocol "
      "test_frag_protect_in_needs_the_flag "
      "test_frag_protect_out_needs_the_flag test_frag_slots_expire "
      "test_frag_the_oldest_makes_room test_frag_tiny_firsts_show_nothing "
      "test_frag_without_state_matches_no_ports test_fragment_* "
      "test_inbound_random test_ip6_fragment_header_is_found "
      "test_netif_clear_fragments test_netif_consumed "
      "test_netif_esp_fragments_alone_are_nothing "
      "test_netif_hidden_esp_is_put_together test_netif_ids "
      "test_netif_last_of_the_sa test_netif_late_for_the_sa "
      "test_netif_long_packets_go_in_fragments "
      "test_netif_malformed_fragments test_netif_narrow_path_uncut "
      "test_netif_narrow_paths test_netif_resumes "
      "test_netif_resumes_failures "
      "test_netif_stack_fragments_are_put_together test_netif_too_big "
      "test_netif_transport_mode_refuses_other_fragments "
      "test_netif_tunnels_carry_fragments test_reass_*" },
#endif
#ifdef IPSEC_NO_MULTICAST
    { "IPSEC_NO_MULTICAST",
      "test_group_address_of_a_plain_sa "
      "test_group_and_unicast_by_protocol test_group_faults "
      "test_group_identifiers_are_unique test_group_in_udp "
      "test_group_longest_match test_group_lookup "
      "test_group_of_each_family test_group_packets_answer_to_policy "
      "test_group_senders_and_numbers test_group_spi_is_not_taken "
      "test_group_transport_mode test_group_update test_inbound_random "
      "test_sad_add_knows_its_flags" },
#endif
#ifdef IPSEC_NO_PFP
    { "IPSEC_NO_PFP",
      "test_flow_of_each_protocol "
      "test_flow_of_fragments_that_hide_their_protocol "
      "test_flow_of_short_next_layers "
      "test_keymgmt_backs_off_after_a_refusal "
      "test_keymgmt_bounds_a_flood_of_acquires "
      "test_keymgmt_expires_without_a_daemon "
      "test_keymgmt_flushes_and_dumps test_keymgmt_follows_a_nat "
      "test_keymgmt_follows_a_peer_that_moves "
      "test_keymgmt_gives_each_host_its_sa "
      "test_keymgmt_negotiates_on_acquire test_keymgmt_peer_deletes "
      "test_keymgmt_policy_change_acts_at_once "
      "test_keymgmt_rekeys_without_a_gap "
      "test_keymgmt_survives_simultaneous_rekeying test_narrow_* "
      "test_spd_add_knows_its_flags "
      "test_spd_add_refuses_each_fault_and_changes_nothing "
      "test_spd_list_index_and_model_agree test_spd_mobility_header_type "
      "test_spd_name_matches_no_packet test_spd_opaque_protocol" },
#endif
#ifdef IPSEC_NO_TFC
    { "IPSEC_NO_TFC",
      "test_audit_of_a_dummy test_dummy_* "
      "test_icmp_mtu_is_forgotten_by_a_dummy test_tfc_all_lengths "
      "test_tfc_ends_where_ip_does test_tfc_in_a_bundle "
      "test_tfc_leaves_mtu_alone test_tfc_refused test_tfc_room_is_exact "
      "test_tfc_within_mtu test_wild_card_in_udp" },
#endif
#ifdef IPSEC_NO_MODE_ANY
    { "IPSEC_NO_MODE_ANY",
      "test_group_in_udp test_inbound_random test_wild_card_dummy_packet "
      "test_wild_card_in_a_bundle test_wild_card_in_udp "
      "test_wild_card_next_header_decides "
      "test_wild_card_only_if_asked_for "
      "test_wild_card_source_of_transport_mode" },
#endif
#ifdef IPSEC_NO_ROLLOVER
    { "IPSEC_NO_ROLLOVER",
      "test_rollover_past_the_last_number test_rollover_refused "
      "test_rollover_repeats_no_iv test_rollover_soft_event "
      "test_rollover_stops_at_a_limit_set_later "
      "test_sad_add_knows_its_flags" },
#endif
#ifdef IPSEC_NO_QUARANTINE
    { "IPSEC_NO_QUARANTINE",
      "test_audit_each_event_with_its_fields test_quarantine_*" },
#endif
#ifdef IPSEC_NO_DSCP
    { "IPSEC_NO_DSCP",
      "test_dscp_* test_icmp_related_by_class_of_traffic" },
#endif
#ifdef IPSEC_NO_AUDIT_DETAILS
    { "IPSEC_NO_AUDIT_DETAILS",
      "test_audit_each_event_with_its_fields test_audit_malformed_inside "
      "test_audit_of_a_dummy test_audit_of_nested_layers "
      "test_audit_outer_layer_without_number "
      "test_audit_overflow_of_an_outer_layer test_bundle_depth "
      "test_faults_inbound_at_each_call test_faults_outbound_at_each_call "
      "test_inbound_forgery_changes_nothing test_inbound_no_such_sa "
      "test_inbound_replay test_inbound_sa_answers_for_its_contents "
      "test_lifetime_reason_of_* test_outbound_sa_must_be_as_policy_says "
      "test_rfc4302_no_such_sa test_rfc4302_numbers_never_wrap "
      "test_rollover_soft_event test_trailer_dummy_with_bad_padding "
      "test_trailer_next_header_of_a_tunnel "
      "test_trailer_pad_length_against_payload "
      "test_trailer_what_is_no_packet_inside "
      "test_trailer_wrong_padding_byte_anywhere "
      "test_transforms_wrong_bytes" },
#endif
#ifdef IPSEC_NO_LINT
    { "IPSEC_NO_LINT",
      "test_lint_*" },
#endif
#ifdef IPSEC_NO_GCM_SHORT
    { "IPSEC_NO_GCM_SHORT",
      "test_alg_every_pair test_alg_layout test_alg_lengths_of_keys "
      "test_an_sa_that_changed_its_version_meanwhile_seals_nothing "
      "test_lint_keys_of_ah_are_the_macs test_primitives_aead" },
#endif
#ifdef IPSEC_NO_CCM
    { "IPSEC_NO_CCM",
      "test_alg_every_pair test_alg_layout test_alg_lengths_of_keys "
      "test_attacks_state_implicit_iv test_primitives_aead" },
#endif
#ifdef IPSEC_NO_CTR
    { "IPSEC_NO_CTR",
      "test_alg_every_pair test_alg_layout test_alg_lengths_of_keys "
      "test_inbound_random test_lint_keys_refuses_one_key_both_ways "
      "test_primitives_ctr" },
#endif
#ifdef IPSEC_NO_GMAC
    { "IPSEC_NO_GMAC",
      "test_alg_every_pair test_alg_layout test_alg_lengths_of_keys "
      "test_gmac_* test_inbound_random test_lint_keys_of_ah_are_the_macs "
      "test_lint_keys_refuses_one_key_both_ways test_primitives_gmac" },
#endif
#ifdef IPSEC_NO_IIV
    { "IPSEC_NO_IIV",
      "test_alg_every_pair test_alg_layout test_alg_lengths_of_keys "
      "test_attacks_state_implicit_iv test_inbound_random "
      "test_lint_keys_of_ah_are_the_macs test_primitives_aead" },
#endif
#ifdef IPSEC_NO_SHA1
    { "IPSEC_NO_SHA1",
      "test_alg_every_pair test_alg_layout test_alg_lengths_of_keys "
      "test_primitives_hmac" },
#endif
#ifdef IPSEC_NO_SHA512
    { "IPSEC_NO_SHA512",
      "test_alg_every_pair test_alg_layout test_alg_lengths_of_keys "
      "test_icmp_mtu_propagates_to_the_sender test_primitives_hmac "
      "test_rollover_past_the_last_number" },
#endif
#ifdef IPSEC_NO_CMAC
    { "IPSEC_NO_CMAC",
      "test_alg_every_pair test_alg_layout test_alg_lengths_of_keys "
      "test_primitives_cmac_and_xcbc test_primitives_ctr" },
#endif
#ifdef IPSEC_NO_XCBC
    { "IPSEC_NO_XCBC",
      "test_alg_every_pair test_alg_layout test_alg_lengths_of_keys "
      "test_primitives_cmac_and_xcbc test_rollover_past_the_last_number" },
#endif
#ifdef IPSEC_NO_INDEX
    { "IPSEC_NO_INDEX",
      "test_attacks_state_colliding_spis "
      "test_icmp_udp_without_spi_needs_a_single_sa "
      "test_ipsec_init_checks_tables "
      "test_ipsec_init_reports_a_failing_random_source "
      "test_lifetime_sweep_of_a_table test_spd_index_*" },
#endif
#ifdef IPSEC_NO_NAMES
    { "IPSEC_NO_NAMES",
      "test_ipsec_status_str_names_all" },
#endif
#ifdef IPSEC_NO_RANGES
    { "IPSEC_NO_RANGES",
      "test_prefix_split_covers_the_range_exactly "
      "test_prefix_split_known_ranges "
      "test_prefix_split_worst_cases_take_what_the_header_says" },
#endif
#ifdef IPSEC_NO_KEYMGMT
    { "IPSEC_NO_KEYMGMT",
      "test_a_header_that_grew_meanwhile_stays_in_the_buffer "
      "test_a_length_that_grew_meanwhile_is_not_cut_to_16_bits "
      "test_an_ah_sa_may_move_to_ipv6_meanwhile "
      "test_an_event_between_layers_may_update_the_next "
      "test_an_sa_that_changed_its_version_meanwhile_seals_nothing "
      "test_attacks_state_flood_of_destinations test_attacks_wire_spis "
      "test_bundle_inner_esp_for_somebody_else "
      "test_bundle_missing_sa_burns_nothing "
      "test_callbacks_acquire_removes_everything "
      "test_dscp_lane_is_told_to_acquire test_dummy_on_the_wrong_sa "
      "test_faults_random_at_each_call test_group_spi_is_not_taken "
      "test_group_update test_icmp_related_makes_no_sa test_inbound_random "
      "test_inbound_sa_of_another_kind test_keymgmt_backs_off_after_a_refusal "
      "test_keymgmt_bounds_a_flood_of_acquires "
      "test_keymgmt_expires_without_a_daemon test_keymgmt_flushes_and_dumps "
      "test_keymgmt_follows_a_nat test_keymgmt_follows_a_peer_that_moves "
      "test_keymgmt_gives_each_host_its_sa test_keymgmt_negotiates_on_acquire "
      "test_keymgmt_peer_deletes test_keymgmt_policy_change_acts_at_once "
      "test_keymgmt_rekeys_without_a_gap "
      "test_keymgmt_survives_simultaneous_rekeying "
      "test_lifetime_of_completed_larval test_lifetime_of_larval "
      "test_lifetime_reason_of_larval "
      "test_lint_spd_knows_an_sa_of_the_wrong_kind "
      "test_narrow_acquire_makes_an_sa_a_flow "
      "test_narrow_drops_what_lacks_its_ports "
      "test_narrow_each_row_of_rfc_4301_4_4_2_2 "
      "test_narrow_sa_is_for_its_flow_alone test_natt_checksum_by_the_mapping "
      "test_natt_inner_checksum test_natt_inside_a_stranger_s_tunnel "
      "test_natt_keepalive_in_a_tunnel_is_udp "
      "test_natt_mapping_after_the_engine test_natt_mapping_is_followed "
      "test_natt_mapping_not_of_a_path_left test_natt_nests "
      "test_natt_transport_binds_the_address_after_the_icv test_natt_update "
      "test_natt_update_of_ah test_natt_update_takes_room "
      "test_natt_update_while_opening test_natt_update_while_sealing "
      "test_outbound_larval_holds_acquire_off "
      "test_outbound_no_sa_raises_acquire_each_time "
      "test_outbound_reqid_0_only_acquires test_quarantine_errors "
      "test_quarantine_keeps_the_spi_from_others "
      "test_sad_add_that_fails_leaves_a_larval_sa_alone test_sad_larval_* "
      "test_sad_list_table_and_model_agree test_sad_remove_wipes_once "
      "test_sad_reserve_* test_sad_update_* test_spd_parts_of_one_entry "
      "test_status_each_is_provoked" },
#endif
#ifdef IPSEC_NO_EVENTS
    { "IPSEC_NO_EVENTS",
      "test_an_event_between_layers_may_update_the_next "
      "test_attacks_wire_spis test_callbacks_event_of_a_refused_packet "
      "test_callbacks_event_removes_an_sa_used_twice "
      "test_callbacks_event_removes_the_sa_in_use "
      "test_callbacks_event_removes_the_sa_that_opened "
      "test_callbacks_sweep_adds test_callbacks_sweep_removes "
      "test_dummy_errors test_inbound_random "
      "test_keymgmt_backs_off_after_a_refusal "
      "test_keymgmt_expires_without_a_daemon "
      "test_keymgmt_rekeys_without_a_gap "
      "test_keymgmt_restarts_from_the_reservation test_lifetime_by_bytes "
      "test_lifetime_by_bytes_inbound test_lifetime_by_sequence_number "
      "test_lifetime_by_sequence_number_inbound test_lifetime_by_time "
      "test_lifetime_by_time_inbound "
      "test_lifetime_hard_time_holds_without_a_sweep "
      "test_lifetime_jump_over_both test_lifetime_numbers_never_wrap "
      "test_lifetime_of_completed_larval test_lifetime_of_larval "
      "test_lifetime_reason_of_a_later_reservation "
      "test_lifetime_reason_of_each_limit test_lifetime_reason_of_larval "
      "test_lifetime_reason_of_the_last_number "
      "test_lifetime_reservation_outlives_the_soft_time "
      "test_lifetime_reservation_raised_from_the_soft_event "
      "test_lifetime_soft_comes_again_after_a_jump "
      "test_lifetime_soft_once_whatever_the_reasons "
      "test_lifetime_sweep_of_a_table test_lifetime_time_backwards_and_wrap "
      "test_netif_last_of_the_sa "
      "test_quarantine_ends_by_the_hard_event "
      "test_quarantine_of_an_expired_sa test_rollover_only_if_asked_for "
      "test_rollover_soft_event "
      "test_sad_add_refuses_each_fault_and_changes_nothing "
      "test_sad_add_that_fails_leaves_a_larval_sa_alone "
      "test_status_each_is_provoked test_the_first_time_told_may_be_any" },
#endif
#ifdef IPSEC_NO_ASYNC
    { "IPSEC_NO_ASYNC",
      "test_a_header_that_grew_meanwhile_stays_in_the_buffer "
      "test_a_length_that_grew_meanwhile_is_not_cut_to_16_bits "
      "test_a_resumed_drop_is_audited_like_any_other "
      "test_an_ah_sa_may_move_to_ipv6_meanwhile "
      "test_an_sa_that_changed_its_version_meanwhile_seals_nothing "
      "test_an_sa_that_expired_meanwhile_seals_nothing "
      "test_async_holds_all_its_sas "
      "test_async_inner_sa_removed_before_its_turn "
      "test_async_operation_of_no_packet test_async_out_of_order "
      "test_async_overtaken_by_the_window "
      "test_async_removal_in_flight_inbound "
      "test_async_removal_in_flight_outbound test_async_removal_of_all "
      "test_async_spi_reused_while_the_old_sa_is_in_flight test_async_twins "
      "test_audit_outer_layer_without_number "
      "test_audit_overflow_of_an_outer_layer "
      "test_bytes_used_up_while_in_the_engine test_dummy_with_an_engine "
      "test_faults_inbound_at_each_call test_faults_outbound_at_each_call "
      "test_faults_queue_full test_in_flight_does_not_wrap "
      "test_inbound_random test_natt_mapping_after_the_engine "
      "test_natt_mapping_not_of_a_path_left test_natt_update_takes_room "
      "test_natt_update_while_sealing test_netif_resumes "
      "test_netif_resumes_failures test_quarantine_with_packets_in_flight "
      "test_results_that_no_engine_may_report_are_failures "
      "test_status_each_is_provoked test_tfc_with_an_engine "
      "test_time_up_while_in_the_engine "
      "test_two_packets_cannot_share_the_last_number" },
#endif
#ifdef IPSEC_NO_BUNDLES
    { "IPSEC_NO_BUNDLES",
      "test_a_gateway_may_send_its_own_tunnel_in_transport_mode "
      "test_a_header_that_grew_meanwhile_stays_in_the_buffer "
      "test_a_length_that_grew_meanwhile_is_not_cut_to_16_bits "
      "test_ah_around_esp test_an_event_between_layers_may_update_the_next "
      "test_an_sa_that_changed_its_version_meanwhile_seals_nothing "
      "test_an_sa_that_expired_meanwhile_seals_nothing "
      "test_async_holds_all_its_sas "
      "test_async_inner_sa_removed_before_its_turn test_async_out_of_order "
      "test_async_packet_that_cannot_wait "
      "test_async_removal_in_flight_inbound "
      "test_async_removal_in_flight_outbound test_async_removal_of_all "
      "test_async_twins test_attacks_ah_rows "
      "test_attacks_packet_inside_itself test_audit_of_nested_layers "
      "test_audit_outer_layer_without_number "
      "test_audit_overflow_of_an_outer_layer test_bundle_* "
      "test_callbacks_acquire_removes_everything "
      "test_callbacks_audit_removes_everything "
      "test_callbacks_event_of_a_refused_packet "
      "test_callbacks_event_removes_an_sa_used_twice "
      "test_callbacks_event_removes_the_sa_in_use "
      "test_callbacks_event_removes_the_sa_that_opened "
      "test_df_copied_from_an_ipv6_tunnel_heeds_the_mtu "
      "test_faults_inbound_at_each_call test_faults_outbound_at_each_call "
      "test_icmp_check_and_bundles test_icmp_mtu_of_an_outer_layer "
      "test_inbound_random "
      "test_lint_peer_of_a_good_pair_is_quiet_from_both_sides "
      "test_lint_peer_says_why_they_cant_talk "
      "test_lint_spd_says_what_users_trip_over test_mtu_of_a_bundle "
      "test_natt_inner_checksum "
      "test_natt_inside_a_stranger_s_tunnel "
      "test_natt_mapping_after_the_engine "
      "test_natt_mapping_not_of_a_path_left test_natt_nests "
      "test_natt_update_takes_room test_natt_update_while_sealing "
      "test_one_sa_in_two_layers_stops_at_its_last_number "
      "test_outbound_random_bundles "
      "test_spd_add_refuses_each_fault_and_changes_nothing "
      "test_status_each_is_provoked test_tfc_in_a_bundle "
      "test_tfc_room_of_a_bundle test_tfc_with_an_engine "
      "test_two_packets_cannot_share_the_last_number "
      "test_wild_card_in_a_bundle" },
#endif
#ifdef IPSEC_NO_IPV6
    { "IPSEC_NO_IPV6",
      "test_a_header_that_grew_meanwhile_stays_in_the_buffer "
      "test_a_length_that_grew_meanwhile_is_not_cut_to_16_bits "
      "test_ah_atomic_fragment test_ah_covers_what_does_not_change "
      "test_ah_layout test_ah_position test_ah_refuses_headers "
      "test_ah_routing_header test_an_ah_sa_may_move_to_ipv6_meanwhile "
      "test_an_event_between_layers_may_update_the_next "
      "test_an_sa_that_changed_its_version_meanwhile_seals_nothing "
      "test_attacks_ah_rows test_attacks_esp_icvs test_attacks_esp_numbers "
      "test_attacks_esp_trailers test_attacks_flip_every_bit "
      "test_attacks_mapped_addresses_are_not_ipv4 "
      "test_attacks_policy_outer_header test_attacks_policy_selectors "
      "test_attacks_wire_extensions test_attacks_wire_lengths "
      "test_attacks_wire_spis test_audit_each_event_with_its_fields "
      "test_audit_ipsec_protocol test_audit_malformed_inside "
      "test_bundle_mtu_of_an_inner_layer test_checksum_with_a_pseudo_header "
      "test_df_copied_from_an_ipv6_tunnel_heeds_the_mtu "
      "test_dscp_of_the_packet_chooses_the_lane "
      "test_dummy_there_and_forgotten "
      "test_esp_transport_among_extension_headers "
      "test_faults_inbound_at_each_call test_faults_outbound_at_each_call "
      "test_flow_of_each_protocol test_flow_of_fragments "
      "test_flow_of_fragments_that_hide_their_protocol "
      "test_frag_bypass_follows_the_first "
      "test_frag_ipv6_goes_by_the_first_next_header "
      "test_frag_opaque_policy_leaves_the_flow "
      "test_frag_options_may_hide_the_ports test_fragment_and_back "
      "test_fragment_ipv6 test_fragment_least_mtu "
      "test_fragment_what_fits_is_let_be test_gmac_known_answers "
      "test_gmac_layout test_group_of_each_family "
      "test_icmp_checksum_must_be_right test_icmp_error_about_fragments "
      "test_icmp_error_about_icmp test_icmp_error_about_whom "
      "test_icmp_error_header test_icmp_mtu_propagates_to_the_sender "
      "test_icmp_of_the_other_version_is_ignored "
      "test_icmp_other_errors_tell_no_mtu "
      "test_icmp_quote_with_extension_headers "
      "test_icmp_too_big_floor_and_ceiling test_icmp_unrelated_by_type "
      "test_inbound_fragments_of_esp test_inbound_random "
      "test_inbound_sa_answers_for_its_contents test_ip6_* "
      "test_ipv6_that_must_go_may_be_fragmented "
      "test_lint_peer_of_a_good_pair_is_quiet_from_both_sides "
      "test_lint_peer_says_why_they_cant_talk "
      "test_lint_spd_says_what_users_trip_over "
      "test_lint_tells_an_opaque_protocol "
      "test_narrow_each_row_of_rfc_4301_4_4_2_2 test_narrow_keeps_the_rest "
      "test_narrow_of_a_name_binds_the_peers_address "
      "test_narrow_refuses_a_value_beside_opaque "
      "test_narrow_refuses_another_protocol "
      "test_natt_checksum_of_the_malformed "
      "test_natt_checksum_of_what_can_t_be_parsed test_natt_checksum_zero "
      "test_natt_checksums test_natt_inner_checksum "
      "test_natt_mapping_is_followed test_natt_mapping_not_of_a_path_left "
      "test_natt_update_while_sealing test_netif_hidden_esp_is_put_together "
      "test_netif_ids test_netif_narrow_paths test_netif_too_big "
      "test_outbound_fragments test_outbound_random_bundles "
      "test_prefix_split_known_ranges "
      "test_prefix_split_worst_cases_take_what_the_header_says "
      "test_reass_ecn test_reass_first_has_the_header_chain "
      "test_reass_headers_are_the_firsts test_reass_key "
      "test_reass_long_headers test_reass_overlaps "
      "test_reass_whole_ones_pass test_rfc4302_fragments "
      "test_rfc4302_padding_is_any_but_covered "
      "test_room_ipv6_is_never_told_less_than_1280 "
      "test_room_one_byte_short_leaves_all_as_it_was "
      "test_room_sa_mtu_is_the_largest_that_fits "
      "test_room_too_big_only_where_df_forbids test_room_too_big_to_the_byte "
      "test_sad_add_refuses_each_fault_and_changes_nothing "
      "test_sad_add_that_fails_leaves_a_larval_sa_alone "
      "test_sad_list_table_and_model_agree test_sad_update_errors "
      "test_sad_update_moves_and_keeps "
      "test_spd_add_refuses_each_fault_and_changes_nothing "
      "test_spd_index_with_one_shape test_spd_list_index_and_model_agree "
      "test_spd_mobility_header_type test_spd_opaque_protocol "
      "test_spd_parts_refuse_martians_in_a_tunnel test_spd_walk "
      "test_status_each_is_provoked test_tfc_all_lengths "
      "test_trailer_lengths_before_the_engine test_tunnel_df "
      "test_tunnel_ecn_table test_tunnel_outer_ipv6_field_by_field "
      "test_tunnel_tos_and_label "
      "test_udpencap_behind_options_and_extension_headers "
      "test_udpencap_ike_needs_a_policy "
      "test_udpencap_is_esp_behind_a_udp_header test_udpencap_mtu "
      "test_udpencap_of_the_largest test_udpencap_room" },
#endif
#if defined(IPSEC_NO_NATT) && defined(IPSEC_NO_ICMP)
    { "IPSEC_NO_NATT and IPSEC_NO_ICMP",
      "test_checksum_*" },
#endif
    { "", "" }
};

/* Does the pattern match? Both end in a blank or '\0'. */
static int
is_named(const char *pattern, const char *name)
{
    while (*pattern != ' ' && *pattern != '\0' && *pattern != '*' &&
           *pattern == *name) {
        pattern++;
        name++;
    }
    return *pattern == '*' ||
           ((*pattern == ' ' || *pattern == '\0') &&
            (*name == '\0' || *name == ' '));
}

static const char *
lacking(const char *name)
{
    const char *pattern;
    size_t i;

    for (i = 0; i < COUNT(needs); i++) {
        pattern = needs[i].tests;
        while (*pattern != '\0') {
            if (is_named(pattern, name)) {
                return needs[i].option;
            }
            pattern += strcspn(pattern, " ");
            pattern += strspn(pattern, " ");
        }
    }
    return NULL;
}

static void
test_left_out(void **state)
{
    print_message("needs what %s leaves out\n", (const char *)*state);
    skip();
}

/* The environment may ask for one test alone, whatever it needs. */
static int
run_alone(const char *name, const char *group, const struct CMUnitTest *tests,
          size_t n, CMFixtureFunction setup, CMFixtureFunction teardown)
{
    size_t i;

    for (i = 0; i < n; i++) {
        if (strcmp(tests[i].name, name) == 0) {
            return _cmocka_run_group_tests(group, tests + i, 1, setup,
                                           teardown);
        }
    }
    return 0;
}

int
needs_run(const char *group, const struct CMUnitTest *tests, size_t n,
          CMFixtureFunction setup, CMFixtureFunction teardown)
{
    struct CMUnitTest left[64];
    union { const char *text; void *state; } option;
    const char *alone = getenv("TEST_ALONE");
    size_t i;

    if (alone != NULL) {
        return run_alone(alone, group, tests, n, setup, teardown);
    }
    if (n > COUNT(left)) {
        fail_msg("%s: more tests than needs.c has room for", group);
    }
    for (i = 0; i < n; i++) {
        left[i] = tests[i];
        option.text = lacking(tests[i].name);
        if (option.text != NULL) {
            left[i].test_func = test_left_out;
            left[i].setup_func = left[i].teardown_func = NULL;
            left[i].initial_state = option.state;
            teardown = NULL; /* it may ask what all of them reached */
        }
    }
    return _cmocka_run_group_tests(group, left, n, setup, teardown);
}

/* What a build does not have at all, so that the tests of it link;
 * those that call it do not pass. */

#ifdef IPSEC_NO_LINT

const char *
ipsec_lint_str(int finding)
{
    (void)finding;
    fail();
    return "";
}

size_t
ipsec_lint_peer(const struct ipsec *ours, const struct ipsec *theirs,
                ipsec_lint_found *found, void *user)
{
    (void)ours, (void)theirs, (void)found, (void)user;
    fail();
    return 0;
}

size_t
ipsec_lint_spd(const struct ipsec *ips, ipsec_lint_found *found, void *user)
{
    (void)ips, (void)found, (void)user;
    fail();
    return 0;
}

uint32_t
ipsec_lint_sa(const struct ipsec_sa_params *ours,
              const struct ipsec_sa_params *theirs)
{
    (void)ours, (void)theirs;
    fail();
    return 0;
}

uint32_t
ipsec_lint_keys(const struct ipsec_sa_params *a,
                const struct ipsec_sa_params *b)
{
    (void)a, (void)b;
    fail();
    return 0;
}

#endif

#ifdef IPSEC_NO_RANGES

size_t
ipsec_prefix_split(struct ipsec_prefix *prefix, size_t max,
                   const struct ipsec_addr *lo, const struct ipsec_addr *hi)
{
    (void)prefix, (void)max, (void)lo, (void)hi;
    return 0;
}

#endif

#if defined(IPSEC_NO_NATT) && defined(IPSEC_NO_ICMP)

uint32_t
ipsec_sum_add(uint32_t sum, const uint8_t *p, size_t len)
{
    (void)p, (void)len;
    fail();
    return sum;
}

uint32_t
ipsec_sum_pseudo(const uint8_t *ip, uint8_t proto, size_t len)
{
    (void)ip, (void)proto, (void)len;
    fail();
    return 0;
}

#endif
