//! The invariants notice when they are broken: a check that cannot fail proves nothing.

use sp_runtime::TryRuntimeError;

use crate::{mock::*, EraCounters, StandingUntil};

fn notices(complaint: &str, damage: impl FnOnce()) {
	Chain::default().build().execute_with(|| {
		let id = open();
		claim(id, 1, 1_000);
		check_everything();
		damage();
		let Err(TryRuntimeError::Other(error)) = Attestations::do_try_state() else { panic!("unnoticed: {complaint}") };
		assert!(error.starts_with(complaint), "{error}");
	});
}

#[test]
fn a1_an_eras_counters_above_the_totals_are_noticed() {
	notices("A1", || EraCounters::<Test>::mutate(0, node(1), |counters| counters.gross += 1));
	notices("A1", || EraCounters::<Test>::mutate(0, node(1), |counters| counters.bytes += 1));
	notices("A1", || EraCounters::<Test>::mutate(0, node(1), |counters| counters.burned = 1_001));
	notices("A1", || EraCounters::<Test>::mutate(0, node(1), |counters| counters.qualifying = 1_001));
	notices("A1", || EraCounters::<Test>::mutate(7, node(2), |counters| counters.gross = 1));
}

#[test]
fn a2_standing_beyond_the_term_is_noticed() {
	notices("A2", || StandingUntil::<Test>::insert(node(1), RULE.term + 1));
}
