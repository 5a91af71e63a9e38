//! What every platform promises, in rows that any of them can be put through. A platform that the steps were not
//! written for and that passes these is one they can stand on.
//!
//! The rows use nothing but the ports. Each gets a platform of its own with an empty store.

pub mod batches;
pub mod enrollments;
pub mod integrations;
pub mod isolation;
pub mod lists;
pub mod money;
pub mod once;
pub mod people;
pub mod queue;
pub mod records;
pub mod samples;
pub mod vault;

/// Where a row finds its platform. What it stands on, such as a directory, goes when the stand is dropped.
pub trait Stand: Sized {
    type Platform: ports::Platform;

    fn new() -> impl Future<Output = anyhow::Result<Self>> + Send;

    fn platform(&self) -> &Self::Platform;
}

/// Puts the platform of a [`Stand`] through every row.
#[macro_export]
macro_rules! suite {
    ($stand:ty) => {
        $crate::suite! { @rows $stand,
            batches:
                a_batch_is_created_once_with_its_unplanned_rows,
                a_batch_is_written_under_the_version_that_was_read,
                batches_are_listed_newest_first,
                rows_of_a_plan_are_replaced_and_filtered,
                twenty_thousand_rows_of_a_plan_are_walked_page_by_page;
            enrollments:
                an_enrollment_that_exists_is_not_created_again,
                a_write_under_an_old_version_is_stale,
                of_fifty_writers_of_one_version_one_wins,
                a_write_whose_answer_was_lost_is_recognised_as_won,
                the_same_run_does_not_win_with_an_older_write,
                a_change_of_an_enrollment_that_does_not_exist_is_stale,
                attachments_are_replaced_and_removed,
                the_timeline_is_told_in_order_page_by_page,
                the_hook_of_an_earlier_attempt_stays_valid;
            integrations:
                a_tenant_belongs_to_one_integration_of_its_cloud,
                of_fifty_creators_of_one_tenant_one_wins,
                an_integration_is_written_under_the_version_that_was_read,
                a_tenant_of_another_integration_cannot_be_taken_over,
                integrations_that_come_meanwhile_do_not_disturb_a_list;
            isolation:
                a_handle_sees_no_row_of_another_integration,
                a_handle_writes_no_row_of_another_integration;
            lists:
                enrollments_are_listed_by_each_filter_newest_first,
                counts_follow_the_states,
                what_is_due_comes_oldest_first_and_no_integration_hides_another,
                of_fifty_who_move_a_due_time_one_owns_the_release,
                moving_a_due_time_does_not_make_a_write_stale;
            money:
                of_fifty_takers_of_one_claim_one_wins,
                a_claim_is_taken_over_by_naming_its_holder_and_freed_by_its_holder_alone,
                a_refused_change_writes_nothing_at_all,
                an_order_belongs_to_one_enrollment,
                an_order_that_its_owner_released_belongs_to_nobody,
                the_limit_of_the_day_holds_under_contention;
            once:
                a_state_is_given_out_once,
                a_state_that_is_over_is_not_given_out,
                a_key_remembers_the_first_body_and_its_answer,
                a_key_that_is_over_is_new_again,
                of_fifty_requests_with_one_key_one_is_the_first;
            people:
                a_row_of_a_newer_generation_stays,
                people_who_were_not_seen_are_marked_left_and_can_come_back,
                an_address_counts_each_person_once,
                a_prefix_is_found_in_any_letter_case_and_script,
                the_directory_cursor_is_written_under_the_version_that_was_read,
                twenty_thousand_people_are_found_by_name_and_address;
            queue:
                jobs_of_every_kind_are_taken,
                a_delay_longer_than_fifteen_minutes_is_refused;
            records:
                an_intune_record_is_replaced_by_what_was_seen_later,
                a_pause_is_only_ever_prolonged,
                the_audit_is_read_newest_first;
            vault:
                a_secret_is_read_as_it_was_stored_and_replaced,
                a_data_key_unwraps_for_its_integration_alone,
                a_wrapped_key_of_which_a_bit_changed_does_not_unwrap,
                no_two_data_keys_are_alike;
        }
    };
    (@rows $stand:ty, $($module:ident: $($row:ident),+;)+) => {
        $(mod $module {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $row() -> anyhow::Result<()> {
                let stand = <$stand as $crate::Stand>::new().await?;
                $crate::$module::$row($crate::Stand::platform(&stand)).await
            })+
        })+
    };
}
