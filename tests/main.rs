//! Integration tests, one file for each promise. One binary, so that they share one API server.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "what helps the tests fails like them"
)]

mod support;

mod alerts_are_tested;
mod alerts_reach_prometheus;
mod api_server_definitions;
mod api_server_floods;
mod api_server_outages;
mod api_server_refusals;
mod api_server_watches;
mod api_server_webhooks;
mod benchmark_peers;
mod benchmarks_are_generated;
mod chart_grants_what_is_needed;
mod chart_is_documented;
mod chart_is_installed;
mod chart_is_sound;
mod chart_lives_long;
mod chart_rights_are_bounded;
mod chart_units;
mod clients_go;
mod cluster_binaries;
mod cluster_processes;
mod consumers_hold_what_is_known;
mod consumers_rely_on_this;
mod corpus;
mod crds_are_generated;
mod credentials_agency;
mod credentials_password;
mod credentials_pod_identity;
mod definitions_stay_compatible;
mod docs_are_generated;
mod docs_are_true;
mod docs_credentials;
mod docs_kubectl;
mod docs_operators;
mod docs_plan;
mod docs_scenarios;
mod docs_simulator;
mod edits_are_undone;
mod endurance;
mod events_tell_what_happened;
mod guard_keeps_others_out;
mod health_is_true;
mod health_objects;
mod hostile_pools_are_mirrored_or_named;
mod hostile_sources_end_well;
mod incomplete_listings_change_nothing;
mod mirrors_are_what_the_sdk_is_sent;
mod missing_pools_stay_until_gone;
mod odd_pools_are_mirrored;
mod official_sdk_is_a_peer;
mod official_sdk_is_installed;
mod official_sdk_signs_as_we_do;
mod old_data_says_so;
mod one_pool_spoils_nothing;
mod others_are_left_alone;
mod plan_credentials;
mod plan_from_files;
mod plan_is_what_is_written;
mod plan_keeps_secrets;
mod plan_refuses;
mod pools_are_mirrored;
mod process_flags;
mod process_keeps_secrets;
mod process_logs;
mod process_metrics;
mod process_probes;
mod quiet_passes_write_nothing;
mod readme_commands_work;
mod replicas_take_over;
mod replicas_write_one_at_a_time;
mod sources_are_checked;
mod sources_are_followed;
