//! The suite: what every backend and every pairing shows, one function a behaviour.
//!
//! A name begins with the id of the row of observable behaviour that it stands for. Each function makes its own
//! fixture, and runs in a thread of its own. None sleeps to synchronise.
#![expect(missing_docs, reason = "the name of a function says what it shows")]

pub mod calls;
pub mod cancel;
pub mod cancelling;
pub mod chains;
pub mod completed;
pub mod crowds;
pub mod delays;
pub mod ends;
pub mod group;
pub mod inspect;
pub mod lifecycle;
pub mod lock;
pub mod panics;
pub mod pending;
pub mod pool;
pub mod queued;
pub mod reentry;
pub mod rejects;
pub mod resident;
pub mod room;
pub mod scopes;
pub mod single_queue;
pub mod tracker;
pub mod turns;
pub mod wait;

pub use super::harness;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use crate::{Caller, wake::yield_now};

/// Stamps the suite for a [`Fixture`](crate::testing::Fixture): one `#[test]` for each of its functions.
#[macro_export]
macro_rules! conformance {
    ($fixture:ty) => {
        $crate::__stamp!($fixture, pending:
            pen_01_not_done_yet
            pen_02_set_result
            pen_02_every_waiter_gets_the_result
            pen_03_set_error
            pen_04_first_outcome_stays
            pen_05_callbacks_in_order_on_the_completing_thread
            pen_06_remove_callback
            pen_07_timeout_cancels_unless_protected
            pen_07_zero_timeout
            pen_07_deadlines
            pen_08_dropped_wait_cancels_unless_protected
            pen_08_borrowed_and_shared_waits
            pen_09_wait_without_result
            pen_10_blocking_wait
            pen_10_blocking_timeout_in_a_callers_thread
            pen_10_timeout_under_another_executor
            pen_11_runs_without_handles_and_frees
            pen_12_metadata_is_freed_on_completion
            pen_13_cancel_after_done
            pen_14_caller_of_a_pending
            pen_abandoned_is_an_error
            pen_waiting_for_oneself_is_an_error);
        $crate::__stamp!($fixture, cancel:
            can_01_without_canceller
            can_02_with_canceller
            can_03_reasons_add_up
            can_04_running_call
            can_05_before_the_start
            can_06_seen_inside_a_long_poll
            can_grace_to_clean_up);
        $crate::__stamp!($fixture, lifecycle:
            cal_01_no_caller_outside_a_runtime
            cal_02_implicit_start
            cal_03_new_thread
            cal_04_calls_before_the_start
            cal_04_dropped_before_it_ran
            cal_05_found_while_it_runs
            cal_06_children_by_name
            cal_07_children_stop_first
            cal_07_calls_go_on_until_the_children_have_stopped
            cal_08_protected
            cal_09_stop_cancels_and_tells
            cal_10_stopped_before_it_ran
            cal_11_the_runtime_ends_under_the_caller
            cal_12_freed_with_the_last_handle
            cal_13_existing_and_running
            cal_15_protected_child_stops_with_its_parent
            cal_16_children_without_a_name
            cal_dropped_scope_stops_at_once
            cal_stop_while_a_child_blocks_on_the_parent
            cal_a_child_while_its_parent_stops
            cal_a_name_that_is_taken
            cal_what_cannot_run_leaves_no_child
            cal_the_body_goes_on_behind_the_end
            cal_serving_until_somebody_stops_it);
        $crate::__stamp!($fixture, calls:
            sch_01_verbs_from_here_and_elsewhere
            sch_02_not_before_its_time
            sch_03_direct_calls_in_order
            sch_03_direct_calls_have_no_context
            sch_04_current_pending
            sch_05_context
            sch_06_failures
            sch_07_interleaving
            sch_08_runtime_is_current
            sch_local_calls);
        $crate::__stamp!($fixture, pool:
            thr_01_plain_and_async
            thr_02_one_worker_for_one_after_the_other
            thr_03_idle_workers_go
            thr_03_idle_workers_stay
            thr_04_three_at_once_and_ten_idle
            thr_calls_beyond_the_limit_wait
            thr_own_workers_exceed_the_limit
            thr_stop_while_calls_wait
            thr_cancelled_calls_wait_no_longer
            thr_a_ring_through_a_call_that_waited_for_a_worker
            thr_settings_at_their_limits);
        $crate::__stamp!($fixture, resident:
            res_01_made_reached_and_dropped_in_its_thread
            res_02_calls_that_share_go_on_together
            res_03_one_at_a_time_alone_in_the_order_made
            res_04_one_that_is_cancelled_makes_room
            res_05_failures_are_those_of_the_call
            res_06_bound_to_a_function_for_any_verb
            res_07_derived_from_another
            res_08_in_its_own_thread_without_waiting
            res_09_ended_by_the_last_handle_behind_its_calls
            res_10_closed
            res_11_ended_by_the_stop_behind_the_calls
            res_12_handles_are_equal_by_identity
            res_13_a_panic_costs_the_call_and_what_its_policy_says
            res_14_a_thread_of_its_own
            res_15_a_value_that_exists_already
            res_16_what_is_made_for_nobody_is_dropped_in_its_thread
            res_17_a_call_is_an_ordinary_call
            res_18_a_wait_that_could_never_end_is_an_error
            res_19_plain_functions_run_alone_in_their_order
            res_20_branches_of_one_call_wait_for_each_other
            res_21_made_anew_without_a_change_of_the_order
            res_22_nothing_stays_of_one_that_has_ended);
        $crate::__stamp!($fixture, ends:
            a_stopped_caller_has_no_unfinished_calls
            a_caller_that_is_stopped_before_it_ran_ends_its_calls_first
            a_caller_without_handles_stops_when_its_last_child_has
            the_moments_of_a_caller_that_never_ran_come
            the_moments_of_a_parent_that_never_ran_come
            stopped_comes_once_whoever_stops_it
            the_body_of_a_scope_that_awaits_its_own_end_ends
            the_body_of_a_run_that_awaits_its_own_end_ends
            a_call_that_awaits_the_end_of_a_parent_ends
            a_child_that_was_only_built_is_started_by_its_name
            a_child_inherits_what_is_not_set);
        $crate::__stamp!($fixture, queued:
            que_01_one_at_a_time_in_order
            que_02_close_while_running
            que_02_cancel_its_pending
            que_02_a_call_behind_a_cancel_begins_a_new_queue
            que_03_failures_do_not_stop_it
            que_04_object_dropped
            que_05_context_of_the_first_call
            que_05_no_member_of_a_group
            que_06_tracked_by_a_manager
            que_bounded
            que_bounded_under_pressure
            que_closed_caller
            que_own_queue_is_an_error
            que_02_a_call_behind_a_close_waits_for_the_one_that_runs
            que_03_the_next_item_runs_whatever_panics
            que_shares_with_unequal_rounds
            que_bounded_first_come_first_served);
        $crate::__stamp!($fixture, completed:
            asc_01_in_order_of_completion
            asc_02_never_more_than_the_limit
            asc_03_failures_come_out_too
            asc_04_futures_and_streams
            asc_05_left_early
            asc_zero_limit
            asc_a_source_that_panics
            asc_a_source_that_calls_its_caller
            asc_left_with_a_canceller_that_panics);
        $crate::__stamp!($fixture, wait:
            wai_01_conditions
            wai_02_timeout
            wai_03_nothing);
        $crate::__stamp!($fixture, single_queue:
            scq_01_in_order_from_any_thread
            scq_02_second_consumer
            scq_03_stop_rejects
            scq_04_consumer_leaves
            scq_05_last_handle_without_consumer_rejects
            scq_05_consumer_takes_the_rest_of_the_last_handle
            scq_a_consumer_that_feeds_its_queue_yields);
        $crate::__stamp!($fixture, tracker:
            trk_01_activate_and_deactivate
            trk_02_in_the_set_until_done
            trk_03_one_current_of_each_type
            trk_04_chosen_trackers
            trk_a_tracker_that_panics);
        $crate::__stamp!($fixture, group:
            grp_01_ends_when_all_are_done
            grp_02_a_failing_member_ends_it
            grp_03_dropped_or_timed_out
            grp_04_a_cancelled_member_is_nobodys_concern
            grp_05_a_cancelled_member_cancels_it
            grp_06_cancelled_itself
            grp_07_timeout
            grp_08_shielded
            grp_09_nested
            grp_10_the_body_fails
            grp_left_behind
            grp_by_hand
            grp_09_members_of_groups_inside
            grp_an_error_whose_text_asks_the_group
            grp_what_panics_around_it);
        $crate::__stamp!($fixture, lock:
            lck_01_event
            lck_01_countdown
            lck_02_one_at_a_time_in_order
            lck_03_again_under_itself_is_an_error
            lck_03_branches_wait_for_each_other
            lck_04_entered_twice
            lck_05_entered_by_a_call_made_under_it
            lck_06_base_inside_itself
            lck_07_left_in_any_order
            lck_blocking_itself_is_an_error
            lck_inherited_and_given_back
            lck_dropped_under_it
            lck_a_panic_frees_it
            lck_blocking_on_a_lock_that_was_passed_on_is_an_error
            lck_a_ring_with_those_who_wait_before_is_an_error
            lck_no_ring_with_those_who_wait_behind
            lck_a_scope_that_ended_before_a_guard);
        $crate::__stamp!($fixture, inspect:
            ins_01_pending_texts
            ins_02_caller_texts
            ins_03_group_texts);
        $crate::__stamp!($fixture, room:
            a_full_queue_that_was_closed_says_that_it_is_closed
            a_wait_for_room_ends_when_the_queue_is_closed
            a_wait_for_room_ends_when_the_queue_is_cancelled
            a_wait_for_room_ends_when_the_caller_stops
            a_wait_for_room_in_a_closed_queue_ends_at_once
            adding_while_the_queue_is_closed_ends
            a_wait_for_room_that_is_dropped_leaves_nothing
            a_wait_for_room_that_is_polled_again_keeps_one_waker
            room_for_one_wakes_one
            leaving_does_not_take_the_room_of_another);
        $crate::__stamp!($fixture, turns:
            an_item_behind_a_close_waits_for_the_one_that_runs
            an_item_behind_a_cancel_waits_for_the_one_that_runs
            an_item_of_a_method_behind_a_close_waits_for_the_one_that_runs
            an_item_behind_a_close_waits_for_one_that_cleans_up
            items_run_one_at_a_time_whoever_closes_the_queue
            a_queue_that_feeds_itself_lets_others_have_their_turn
            a_queue_that_feeds_itself_can_be_stopped
            a_queue_that_feeds_itself_can_be_closed
            a_bounded_queue_that_feeds_itself_lets_others_have_their_turn
            no_kind_of_call_runs_far_ahead_of_the_others
            no_queue_runs_far_ahead_of_another);
        $crate::__stamp!($fixture, delays:
            a_delayed_call_that_was_cancelled_is_freed
            a_delayed_call_that_was_cancelled_is_freed_when_its_time_has_come
            a_debounce_keeps_nothing
            overdue_calls_run_in_the_order_of_their_times
            a_delayed_call_belongs_to_whoever_cancelled_it);
        $crate::__stamp!($fixture, cancelling:
            a_second_cancel_of_a_call_that_has_not_begun_finds_it_done
            a_call_that_a_stop_ended_says_that_it_was_cancelled
            a_grace_without_end_is_a_grace
            a_local_call_that_asked_for_time_before_its_turn_ends
            a_local_call_is_cancelled_behind_a_direct_call_that_waits);
        $crate::__stamp_alone!($fixture, scopes:
            a_dropped_scope_drops_every_call_though_a_waker_panics
            a_dropped_scope_drops_every_call_though_all_wakers_panic
            a_call_that_drops_its_scope_at_its_first_poll_is_dropped
            a_call_that_drops_its_scope_later_ends
            a_call_that_drops_its_scope_later_is_dropped);
        $crate::__stamp_alone!($fixture, panics:
            a_result_that_nobody_took
            an_error_that_nobody_took
            a_payload_of_a_panic_that_nobody_took
            a_context_value_of_a_call_that_was_cancelled_before_it_began
            a_context_value_of_a_delayed_call_that_was_cancelled
            a_context_value_of_a_call_that_a_stop_refused
            a_context_value_that_an_item_of_a_queue_set
            arguments_of_a_closed_queue
            a_waker_of_a_call
            a_destructor_of_a_waker
            a_waker_of_a_call_that_a_stop_ended
            a_waker_of_a_timeout
            a_waker_of_an_event
            a_waker_of_a_countdown
            a_waker_of_the_moment_a_caller_started
            a_waker_of_the_moment_a_stop_began
            a_waker_of_the_moment_a_child_stopped
            a_waker_of_the_moment_a_child_stopped_by_itself
            a_waker_of_a_request_to_cancel
            a_waker_of_a_resolver
            a_waker_of_a_lock
            a_waker_of_a_reentrant_lock
            a_waker_of_one_who_waits_for_room
            a_waker_of_a_group
            a_waker_of_as_completed
            a_waker_of_the_consumer_of_a_queue
            the_text_of_an_error_of_a_direct_call
            the_destructor_of_an_error_of_a_direct_call
            the_text_of_an_error_of_an_awaited_direct_call
            the_destructor_of_an_error_of_an_awaited_direct_call
            the_conversion_of_an_error_of_an_item
            the_text_of_an_error_of_an_item
            the_destructor_of_an_error_of_an_item
            the_text_of_an_error_of_a_member_of_a_group
            a_canceller_under_a_group
            a_canceller
            a_tracker_beside_a_group
            a_tracker_of_a_local_call
            a_lazy_iterator
            a_stream
            the_payload_of_a_direct_call
            the_payload_of_an_awaited_direct_call
            the_payload_of_an_item_of_a_queue
            the_payload_of_a_done_callback
            the_payload_of_the_destructor_of_a_cancelled_call
            the_payload_of_the_destructor_of_a_function
            the_payload_of_the_reject_function_of_a_queue);
        $crate::__stamp_alone!($fixture, chains:
            callers_that_never_ran_are_dropped
            children_of_children_that_never_ran_are_dropped
            children_of_children_that_never_ran_are_stopped
            callbacks_that_resolve_the_next
            resolvers_that_are_abandoned
            callbacks_in_the_thread_of_a_caller
            calls_that_have_not_begun_are_cancelled
            cancellers_that_cancel_the_next
            a_lock_that_is_handed_along
            a_scope_of_a_lock_that_is_handed_along
            waits_for_a_lock_that_are_given_up
            events_that_set_the_next
            waiters_that_resolve_the_next
            consumers_that_add_to_the_next
            queues_that_are_items_of_queues
            queues_that_reject_into_the_next
            arguments_that_close_the_next_queue);
        $crate::__stamp!($fixture, crowds:
            a_crowd_before_an_event
            a_crowd_before_a_countdown
            a_crowd_before_the_end_of_a_caller
            a_crowd_before_a_pending
            a_crowd_before_a_shared_result
            a_crowd_before_a_request_to_cancel);
        $crate::__stamp!($fixture, reentry:
            an_error_asks_how_large_its_group_is
            an_error_shows_its_group
            an_error_cancels_its_group
            a_destructor_asks_about_the_pool_that_drops_it);
        $crate::__stamp!($fixture, rejects:
            the_last_handle_rejects_what_is_left);
        $crate::__stamp_alone!($fixture, harness:
            drops_at_every_poll
            panics_at_every_place
            calls_back_from_everywhere);
    };
}

/// Stamps functions that want a process of their own.
#[doc(hidden)]
#[macro_export]
macro_rules! __stamp_alone {
    ($fixture:ty, $area:ident: $($name:ident)*) => {
        mod $area {
            #[allow(unused_imports, reason = "the fixture may come from anywhere")]
            use super::*;
            $(
                #[test]
                fn $name() {
                    $crate::testing::Process::of(concat!(module_path!(), "::", stringify!($name)))
                        .limit(std::time::Duration::from_secs(80))
                        .run($crate::testing::conformance::$area::$name::<$fixture>);
                }
            )*
        }
    };
}

/// Stamps the functions of one area.
#[doc(hidden)]
#[macro_export]
macro_rules! __stamp {
    ($fixture:ty, $area:ident: $($name:ident)*) => {
        mod $area {
            #[allow(unused_imports, reason = "the fixture may come from anywhere")]
            use super::*;
            $(
                #[test]
                fn $name() {
                    $crate::testing::conformance::$area::$name::<$fixture>();
                }
            )*
        }
    };
}

/// How long something may take that should happen at once. Generous: it is only waited for when it does not.
const LONG: Duration = Duration::from_secs(20);

/// Says when it is dropped.
#[derive(Clone, Debug, Default)]
struct Drops(Arc<AtomicUsize>);

impl Drops {
    fn watch(&self) -> Dropped {
        Dropped(self.0.clone())
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

#[derive(Debug)]
struct Dropped(Arc<AtomicUsize>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Waits until something is true that another thread is about to make true, and that nobody announces.
fn eventually(what: &str, condition: impl Fn() -> bool) {
    let until = Instant::now() + LONG;
    while !condition() {
        assert!(Instant::now() < until, "{what} did not come");
        std::thread::yield_now();
    }
}

/// What comes within a generous time.
fn receive<T>(from: &mpsc::Receiver<T>) -> T {
    from.recv_timeout(LONG).expect("something should have come")
}

/// Holds up the thread of a caller until the sender is used or dropped.
fn hold_up(caller: &Caller) -> mpsc::Sender<()> {
    let (go_on, held_up) = mpsc::channel::<()>();
    let (sender, begun) = mpsc::channel();
    caller.call_direct(move || {
        sender.send(()).unwrap();
        let _dropped = held_up.recv_timeout(LONG);
    });
    receive(&begun);
    go_on
}

/// An error as tests need one.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("the cat sat on the keyboard")]
struct Trouble;
