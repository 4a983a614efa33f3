//! One suite that every backend passes. A backend's test calls [`exercise`] with a way to make empty stores.

mod append;
mod list;
mod load;
pub mod sample;

use std::pin::Pin;
use std::sync::Arc;

use super::{AppendError, Error, EventStore};

/// A place where a store can be opened again and again.
pub trait Bench {
    /// Opens the store of this place; what was stored before is in it.
    fn open(&self) -> Result<Arc<dyn EventStore>, Error>;
}

/// What a case ran into before it could judge.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// An append that should have worked did not.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// Something else that should have worked did not.
    #[error(transparent)]
    Store(#[from] Error),
}

type Checked = Result<(), Failed>;
type Case<'a> = Pin<Box<dyn Future<Output = Checked> + 'a>>;
type Named = (&'static str, fn(&dyn Bench) -> Case<'_>);

macro_rules! cases {
    ($($room:ident :: $name:ident),* $(,)?) => {
        /// Every case by its name.
        pub const CASES: &[Named] = &[
            $((stringify!($name), |bench| Box::pin($room::$name(bench)))),*
        ];
    };
}

cases! {
    append::an_append_comes_back_as_it_was,
    append::an_unknown_run_has_nothing,
    append::a_wrong_expectation_is_a_conflict_that_names_the_truth,
    append::of_two_writers_at_one_place_one_wins,
    append::events_row_and_index_change_together,
    append::a_refused_append_leaves_no_trace,
    append::the_chain_links_every_record,
    append::reads_begin_anywhere_and_stop_at_the_limit,
    append::text_of_every_script_survives,
    append::empty_and_odd_bodies_survive,
    append::large_bodies_survive,
    append::bounds_are_refused_with_their_numbers,
    append::a_long_row_is_cut_not_refused,
    append::reopening_keeps_everything_under_a_new_writer,
    append::a_second_writer_is_refused_or_fences_the_first,
    list::pages_have_no_gaps_and_no_doubles,
    list::pages_hold_while_runs_go_on,
    list::lists_filter_by_status_workflow_and_time,
    list::clocks_that_jump_back_only_change_the_order,
    list::abbreviations_find_their_runs,
    load::ten_thousand_events_in_one_run,
    load::many_runs_at_once,
}

/// Runs every case on a fresh store, and panics at the first that fails.
pub async fn exercise<B: Bench>(fresh: impl Fn() -> B) {
    for (name, case) in CASES {
        let result = case(&fresh()).await;
        assert!(result.is_ok(), "{name}: {result:?}");
    }
}
