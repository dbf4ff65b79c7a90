use frame_support::{assert_noop, assert_ok};
use sp_runtime::DispatchError;

use crate::{mock::*, settlement::Status, ClaimBlocks, Error, Event};

#[test]
fn closing_moves_no_money_and_starts_the_window() {
	run(|| {
		let id = open();
		next_blocks(3);
		let before = money(&payer());
		assert_ok!(Rewards::close(origin(&payer()), id));
		assert_eq!(status(id), Status::Closing { since: 3 });
		assert_eq!(money(&payer()), before);
		assert_eq!(events(), [Event::Closing { channel: id }]);
	});
}

#[test]
fn the_window_starts_at_the_count_of_blocks_that_took_claims() {
	run(|| {
		let id = open();
		next_blocks(2);
		(0..7).for_each(|_| block_without_claims());
		next_block();
		assert_eq!(ClaimBlocks::<Test>::get(), 3);
		assert_ok!(Rewards::close(origin(&payer()), id));
		assert_eq!(status(id), Status::Closing { since: 3 });
	});
}

#[test]
fn a_closing_channel_still_pays() {
	run(|| {
		let id = open();
		assert_ok!(Rewards::close(origin(&payer()), id));
		assert_eq!(claim(id, 1, 1_000).unwrap().division.operator, 900);
		assert_eq!(gain(&operator(1)), 900);
	});
}

#[test]
fn only_the_payer_closes() {
	run(|| {
		let id = open_sponsored();
		for who in [sponsor(), stranger(), operator(1)] {
			assert_noop!(Rewards::close(origin(&who), id), Error::<Test>::NotPayer);
		}
		assert_noop!(Rewards::close(RuntimeOrigin::root(), id), DispatchError::BadOrigin);
		assert_ok!(Rewards::close(origin(&payer()), id));
	});
}

#[test]
fn there_must_be_such_a_channel() {
	run(|| {
		assert_noop!(Rewards::close(origin(&payer()), 0), Error::<Test>::UnknownChannel);
	});
}

#[test]
fn closing_twice_does_not_move_the_window() {
	run(|| {
		let id = open();
		assert_ok!(Rewards::close(origin(&payer()), id));
		next_block();
		assert_noop!(Rewards::close(origin(&payer()), id), Error::<Test>::NotOpen);
		assert_eq!(status(id), Status::Closing { since: 0 });
	});
}

#[test]
fn a_convicted_channel_cannot_be_closed() {
	run(|| {
		let id = open();
		convict(id);
		assert_noop!(Rewards::close(origin(&payer()), id), Error::<Test>::NotOpen);
		assert_eq!(status(id), Status::Convicted { since: 0 });
	});
}
