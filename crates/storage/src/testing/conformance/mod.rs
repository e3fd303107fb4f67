//! What every back end must do, one behaviour a function. [`conformance_tests!`](crate::conformance_tests) makes a
//! test of each.

pub mod accounts;
pub mod agent_administration;
pub mod agents;
pub mod aggregates;
pub mod alert_job;
pub mod alerts;
pub mod api_keys;
pub mod arrivals;
pub mod audit;
pub mod buckets;
pub mod changes;
pub mod enrolment;
pub mod fleet;
pub mod leases;
pub mod maintenance;
pub mod measured;
pub mod metrics;
pub mod people;
pub mod random_questions;
pub mod retention;
pub mod retention_setting;
pub mod sealing;
pub mod sessions;
pub mod setup;
pub mod traceroutes;
pub mod usage;
pub mod windows;

mod records;

use std::sync::Arc;

use astranetmon_auth::{Access, Operator, Scope};
use astranetmon_domain::{Account, AgentId, Plan, Timestamp};

use crate::Storage;

const OPERATOR: Operator = Operator::new("conformance");

/// 2026-11-01T00:00:00Z
const NOVEMBER: Timestamp = Timestamp::from_seconds(1_793_491_200);

async fn account(storage: &Arc<dyn Storage>, name: &str) -> Account {
    let name = name.parse().expect("a name");
    storage.account_create(&OPERATOR, &name, Plan::Starter, NOVEMBER).await.expect("a new account")
}

fn scope<A: Access>(account: &Account) -> Scope<A> {
    Scope::system(account.id, "conformance")
}

fn agent_id(text: &str) -> AgentId {
    AgentId::parse(text).expect("an agent id")
}

/// Makes a test of every behaviour of the suite that concerns metrics; see [`conformance_tests!`].
#[macro_export]
macro_rules! record_conformance_tests {
    ($make:path) => {
        $crate::conformance_tests! { $make;
            metrics: a_sample_is_stored_once_and_fills_what_was_unknown, a_batch_repeats_itself_harmlessly,
                a_large_batch_is_stored_whole, values_come_back_as_they_were_rounded,
                writers_of_one_account_lose_nothing;
            measured: metric_pages_walk_the_whole_list, speedtest_pages_walk_the_whole_list,
                traceroute_pages_walk_the_whole_list, metric_ranges_and_totals_are_exact,
                speedtest_ranges_and_totals_are_exact, traceroute_ranges_and_totals_are_exact,
                metrics_of_accounts_are_apart, speedtests_of_accounts_are_apart, traceroutes_of_accounts_are_apart,
                an_unknown_account_takes_nothing, metrics_far_from_now_are_kept, speedtests_are_unique_by_agent_and_id,
                traceroutes_are_unique_by_agent_and_id, speedtests_are_found_by_what_they_measured,
                traceroutes_are_found_by_what_they_met;
            buckets: buckets_agree_with_the_samples, unknown_values_and_empty_buckets_are_left_out,
                ends_of_the_range_cut_buckets, buckets_of_accounts_and_agents_are_apart;
            aggregates: aggregates_of_agents_labels_and_all_agree_with_the_samples,
                empty_intervals_are_rows_if_they_are_asked_for, aggregates_of_accounts_are_apart;
            arrivals: a_copy_that_asks_for_what_came_in_is_whole,
                speed_tests_and_traceroutes_come_in_the_order_of_their_arrival;
            random_questions: whatever_is_asked_is_answered_as_by_a_plain_list;
            fleet: a_fleet_has_the_newest_of_each_agent, a_fleet_is_of_agents_that_are_known,
                a_fleet_is_of_one_account;
            alert_job: an_event_and_its_messages_are_written_together, an_outdated_evaluation_is_not_written,
                a_message_comes_until_it_is_settled, a_stale_holder_changes_nothing, a_board_shows_what_is_watched,
                samples_are_read_behind_each_agents_time, records_are_read_behind_a_sequence,
                many_records_come_in_several_answers;
            retention: buckets_over_all_tiers_agree_with_the_samples, each_sample_is_counted_once_wherever_the_job_is_stopped,
                a_chart_of_a_year_is_whole_while_its_data_goes, totals_pages_and_walks_are_right_while_rows_go,
                old_speed_tests_and_traceroutes_go_and_path_changed_stays, history_goes_when_it_is_old,
                accounts_keep_what_is_theirs, samples_of_folded_times_are_not_taken_again, what_a_deleted_agent_left_goes,
                what_deleted_agents_left_goes_beside_the_job, a_stale_holder_ends_nothing;
        }
    };
}

/// Makes a test of every behaviour of the suite. `$make` is an async function without arguments that gives a storage
/// on a fresh database and what must outlive it: `(Arc<dyn Storage>, impl Sized)`.
#[macro_export]
macro_rules! conformance_tests {
    ($make:path) => {
        $crate::record_conformance_tests!($make);
        $crate::conformance_tests! { $make;
            accounts: names_and_addresses_are_unique, a_plan_change_is_seen_and_audited, missing_is_none;
            sessions: a_session_is_found_by_its_hash_with_its_person, a_session_moves_forward_and_ends_by_itself,
                a_person_ends_only_sessions_of_their_own, a_new_password_ends_all_sessions,
                the_disabled_have_no_sessions, what_is_done_to_people_is_audited;
            setup: of_many_at_once_one_becomes_the_first_owner,
                only_the_last_token_and_only_in_its_time_makes_the_owner;
            people: a_role_is_changed_in_the_own_account, owners_are_changed_by_owners_only,
                one_owner_who_can_sign_in_stays;
            api_keys: a_key_is_found_by_its_hash_only, twenty_live_keys_are_the_bound,
                a_rolled_key_shares_its_window_and_ends,
                a_roll_with_overlap_counts_against_the_bound_on_live_keys, a_dead_key_is_not_rolled, revoking_twice_keeps_the_first_time,
                a_foreign_key_is_none, what_is_done_to_keys_is_audited;
            windows: exactly_the_limit_passes_under_concurrency, a_window_lasts_an_hour_from_its_first_request,
                a_plan_change_acts_within_the_window, windows_are_apart;
            usage: counts_add_up_by_hour, counts_of_all_keys_come_by_hour, counts_of_many_writers_add_up;
            agents: agents_come_by_hostname_in_pages, writing_an_agent_again_keeps_what_a_person_gave,
                a_report_moves_forward_only;
            enrolment: an_enrolment_token_brings_an_agent, of_many_at_once_one_uses_a_single_use_token,
                many_at_once_get_ids_of_their_own, dead_enrolment_tokens_are_refused,
                an_asked_id_is_taken_once, an_agent_is_enrolled_anew_by_a_token_of_its_own,
                a_hundred_live_enrolment_tokens_are_the_bound, enrolment_tokens_of_accounts_are_apart,
                what_is_done_to_enrolments_is_audited;
            agent_administration: an_edit_changes_what_it_names, a_disabled_agent_is_nobody_and_writes_nothing,
                a_deleted_agent_never_gets_rows_again, an_agent_writes_for_itself_only,
                the_id_of_an_agent_that_is_going_is_taken, a_heartbeat_is_kept,
                a_tokens_use_is_noted_once_a_minute, agents_of_other_accounts_are_left_alone;
            traceroutes: path_changed_compares_with_the_trace_before, late_traces_correct_their_successors,
                path_changed_is_right_whatever_the_order_of_arrival;
            changes: the_version_rises_with_everything_that_readers_see,
                the_version_rises_when_an_agent_repeats_itself, the_version_rises_when_something_expires;
            audit: audit_pages_walk_the_whole_log, an_appended_entry_is_kept_clean_and_short;
            alerts: a_rule_comes_back_as_it_was_chosen, a_hundred_rules_and_twenty_channels_are_the_bound,
                a_rule_takes_only_channels_of_its_account, a_secret_is_for_delivery_only, a_changed_rule_begins_anew,
                a_deleted_channel_gives_up_what_waits, the_history_pages_newest_first,
                what_is_done_to_alerts_is_audited;
            sealing: finished_samples_are_sealed_once, late_samples_go_into_their_chunk;
            retention_setting: an_account_keeps_what_its_plan_does_or_less_by_choice,
                a_smaller_plan_shortens_what_was_chosen, a_choice_is_audited_and_seen;
            leases: one_holder_at_a_time, a_silent_holder_loses_it;
            maintenance: a_ping_answers, a_shared_secret_is_made_once, a_closed_storage_is_unavailable;
        }
    };
    ($make:path; $($group:ident: $($case:ident),* $(,)?;)*) => {$(
        mod $group {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    let (storage, _outlives) = $make().await;
                    $crate::testing::conformance::$group::$case(storage).await;
                }
            )*
        }
    )*};
}
