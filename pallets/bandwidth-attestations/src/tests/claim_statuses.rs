//! `claim` on channels that close or whose payer is convicted, and by routers that are jailed or leaving.

use frame_support::{assert_noop, assert_ok};
use pallet_rewards::settlement::Status;

use crate::{mock::*, Error, Event};

#[test]
fn a_closing_channel_takes_claims_to_the_last_block_of_its_window() {
	run(|| {
		let id = open();
		close(id);
		next_blocks(WINDOW - 1);
		claim(id, 1, 1_000);
		assert_eq!(earned(1), 900);
		next_block();
		let late = claim_as(&operator(1), receipt(id, 1, 2_000));
		assert_noop!(late, Error::<Test>::WindowOver);
		assert_eq!(earned(1), 900);
	});
}

#[test]
fn blocks_that_take_no_claims_do_not_shorten_the_window() {
	run(|| {
		let id = open();
		close(id);
		next_blocks(WINDOW - 1);
		System::set_block_number(System::block_number() + 1_000);
		claim(id, 1, 1_000);
		assert_eq!(earned(1), 900);
	});
}

#[test]
fn a_claim_beyond_the_deposit_convicts_and_the_reserve_secures_the_rest() {
	run(|| {
		let id = open();
		claim(id, 1, 6_000);
		assert_eq!(status(id), Status::Open);
		claim(id, 2, 7_000);

		assert_eq!(status(id), Status::Convicted { since: 0 });
		System::assert_has_event(pallet_rewards::Event::Convicted { channel: id }.into());
		// 4,000 were left of the deposit; of the other 3,000 the reserve secures e.
		assert_eq!((earned(1), earned(2)), (5_400, 3_600));
		let second = slot(id, 2).unwrap();
		assert_eq!((second.claimed, second.paid, second.from_reserve), (7_000, 4_000, E));
		// What is secured is not paid yet, and does not count yet.
		assert_eq!(totals(2).gross, 4_000);

		next_blocks(WINDOW);
		assert_ok!(Rewards::finish(origin(&stranger()), id));
		assert_eq!(earned(2), 4_500);
	});
}

#[test]
fn after_a_conviction_every_slot_gets_its_own_part_of_the_reserve() {
	run(|| {
		let id = open_with(D, R, K, &[3, 4]);
		claim(id, 1, D);
		claim(id, 2, D);
		claim(id, 3, 700);
		claim(id, 4, 1);
		let secured = |router| slot(id, router).unwrap().from_reserve;
		assert_eq!((secured(1), secured(2), secured(3), secured(4)), (0, E, 700, 1));
		claim(id, 3, D);
		claim(id, 1, D + 500);
		assert_eq!((secured(1), secured(2), secured(3), secured(4)), (500, E, E, 1));
	});
}

#[test]
fn a_convicted_channel_takes_claims_for_one_window_from_the_conviction() {
	run(|| {
		let id = open();
		close(id);
		next_blocks(WINDOW - 1);
		claim(id, 1, D + 1);
		assert_eq!(status(id), Status::Convicted { since: u64::from(WINDOW) - 1 });
		next_blocks(WINDOW - 1);
		claim(id, 2, 10);
		assert_eq!(slot(id, 2).unwrap().from_reserve, 10);
		next_block();
		assert_noop!(claim_as(&operator(2), receipt(id, 2, 20)), Error::<Test>::WindowOver);
	});
}

#[test]
fn a_jailed_router_with_a_slot_claims() {
	run(|| {
		let id = open();
		claim(id, 1, 0);
		jail(1);
		claim(id, 1, 1_000);
		assert_eq!(earned(1), 900);
	});
}

#[test]
fn a_leaving_router_with_a_slot_claims() {
	run(|| {
		let id = open_with(D, R, K, &[1]);
		leave(1);
		claim(id, 1, 1_000);
		assert_eq!(earned(1), 900);
	});
}

#[test]
fn a_jailed_router_without_a_slot_is_refused_until_it_is_active_again() {
	run(|| {
		let id = open();
		jail(1);
		assert_noop!(claim_as(&operator(1), receipt(id, 1, 1_000)), Error::<Test>::RouterNotActive);
		assert_noop!(claim_as(&operator(1), receipt(id, 1, 0)), Error::<Test>::RouterNotActive);
		assert_ok!(NodeIdentity::unjail(root(), node(1)));
		claim(id, 1, 1_000);
		assert_eq!(earned(1), 900);
	});
}

#[test]
fn a_leaving_router_without_a_slot_is_refused() {
	run(|| {
		let id = open();
		leave(1);
		assert_noop!(claim_as(&operator(1), receipt(id, 1, 1_000)), Error::<Test>::RouterNotActive);
	});
}

#[test]
fn a_slot_on_one_channel_is_none_on_another() {
	run(|| {
		let (one, other) = (open(), open());
		claim(one, 1, 0);
		jail(1);
		assert_noop!(claim_as(&operator(1), receipt(other, 1, 1_000)), Error::<Test>::RouterNotActive);
		claim(one, 1, 1_000);
	});
}

#[test]
fn whoever_registers_the_node_next_claims_what_its_slot_is_still_owed() {
	run(|| {
		let id = open();
		claim(id, 1, 1_000);
		withdraw(1);
		register(&stranger(), 1);
		let before = free(&stranger());
		assert_ok!(claim_as(&operator(1), receipt(id, 1, 2_000)));
		assert_eq!((free(&stranger()) - before, earned(1) - ROUTER_BOND), (900, 900));
		let event = Event::Claimed { channel: id, node: node(1), owed: 2_000, increase: 1_000, bytes: 1_024_000 };
		assert_eq!(events().pop(), Some(event));
	});
}
