use frame_support::{assert_noop, assert_ok, traits::fungible::Inspect};
use sp_runtime::{DispatchError, TokenError};

use crate::{
	mock::*,
	settlement::{ChannelState, Slot, Status, Terms, MAX_FUNDS},
	AllChannels, Channel, Channels, Error, Event, NextChannelId, Slots,
};
use towpath_primitives::Amount;

fn try_open(deposit: Amount, reserve: Amount, slots: u32, routers: &[u8]) -> sp_runtime::DispatchResult {
	Rewards::open(origin(&payer()), None, KEY, deposit, reserve, slots, names(routers))
}

#[test]
fn a_payer_opens_a_channel_and_exactly_deposit_reserve_and_storage_are_held() {
	run(|| {
		let before = free(&payer());
		assert_eq!(open(), 0);
		assert_eq!(money(&payer()), (before - D - R - STORAGE, D + R, STORAGE));
		let state = ChannelState {
			deposit: D,
			reserve: R,
			max_slots: K,
			slots: 0,
			terms: TERMS,
			status: Status::Open,
			claimed: 0,
			paid: 0,
			from_reserve: 0,
		};
		let expected =
			Channel { payer: payer(), sponsor: None, receipt_key: KEY, sponsored: 0, storage_deposit: STORAGE, state };
		assert_eq!(channel(0), expected);
		assert_eq!(channel(0).state.exposure(), E);
		assert_eq!(Rewards::receipt_key(0), Some(KEY));
		assert_eq!(events(), [Event::Opened { channel: 0, payer: payer(), sponsor: None, deposit: D, reserve: R }]);
		assert_eq!(gain(&treasury()), 0);
	});
}

#[test]
fn a_sponsor_pays_for_the_whole_opening_and_the_payer_for_nothing() {
	run(|| {
		let before = (free(&payer()), free(&sponsor()));
		let id = open_sponsored();
		assert_eq!(money(&payer()), (before.0, 0, 0));
		assert_eq!(money(&sponsor()), (before.1 - D - R - STORAGE, D + R, STORAGE));
		let channel = channel(id);
		assert_eq!((channel.payer.clone(), channel.sponsor.clone()), (payer(), Some(sponsor())));
		assert_eq!((channel.sponsored, channel.opener()), (D, &sponsor()));
		let expected = Event::Opened { channel: id, payer: payer(), sponsor: Some(sponsor()), deposit: D, reserve: R };
		assert_eq!(events(), [expected]);
	});
}

#[test]
fn naming_oneself_as_payer_is_not_sponsoring() {
	run(|| {
		assert_ok!(Rewards::open(origin(&payer()), Some(payer()), KEY, D, R, K, names(&[])));
		let channel = channel(0);
		assert_eq!((channel.sponsor, channel.sponsored), (None, 0));
	});
}

#[test]
fn named_routers_have_their_slots_at_once() {
	run(|| {
		let id = open_naming(&[3, 1]);
		assert_eq!(channel(id).state.slots, 2);
		assert_eq!(slot(id, 1), Some(Slot::default()));
		assert_eq!(slot(id, 3), Some(Slot::default()));
		assert_eq!(slot(id, 2), None);
		// All slots may be named, and then there is none left.
		let full = open_naming(&[1, 2, 3, 4]);
		assert_eq!(claim(full, 5, 0), Err(crate::SettleError::NoFreeSlot));
		assert_ok!(claim(full, 4, 0));
	});
}

#[test]
fn the_terms_are_those_of_the_opening() {
	run(|| {
		let terms = Terms { window: 3, min_claim: 1, ..TERMS };
		assert_ok!(Rewards::set_terms(RuntimeOrigin::root(), terms));
		let id = open();
		assert_eq!(channel(id).state.terms, terms);
	});
}

#[test]
fn the_storage_deposit_grows_with_the_slots_a_channel_may_have() {
	run(|| {
		assert_ok!(try_open(0, 400, 1, &[]));
		assert_eq!(money(&payer()).2, CHANNEL_DEPOSIT + SLOT_DEPOSIT);
		assert_ok!(try_open(0, 32 * 400, 32, &[]));
		assert_eq!(money(&payer()).2, 2 * CHANNEL_DEPOSIT + 33 * SLOT_DEPOSIT);
		assert_eq!(held(&payer()), 33 * 400);
	});
}

#[test]
fn a_channel_has_one_to_thirty_two_slots() {
	run(|| {
		for slots in [0, 33, u32::MAX] {
			assert_noop!(try_open(D, 1_000_000, slots, &[]), Error::<Test>::BadSlotCount);
		}
		assert_ok!(try_open(D, 1_000_000, 1, &[]));
		assert_ok!(try_open(D, 1_000_000, 32, &[]));
	});
}

#[test]
fn more_named_routers_than_slots_are_refused() {
	run(|| {
		assert_noop!(try_open(D, R, 2, &[1, 2, 3]), Error::<Test>::BadNamedRouters);
		assert_ok!(try_open(D, R, 3, &[1, 2, 3]));
	});
}

#[test]
fn a_router_named_twice_is_refused() {
	run(|| {
		assert_noop!(try_open(D, R, 4, &[1, 2, 1]), Error::<Test>::BadNamedRouters);
	});
}

#[test]
fn named_routers_must_be_registered_and_active() {
	run(|| {
		assert_noop!(try_open(D, R, K, &[1, 77]), Error::<Test>::RouterNotActive);
		assert_ok!(NodeIdentity::jail(RuntimeOrigin::root(), node(1), false));
		assert_noop!(try_open(D, R, K, &[1]), Error::<Test>::RouterNotActive);
		assert_ok!(NodeIdentity::unjail(RuntimeOrigin::root(), node(1)));
		assert_ok!(try_open(D, R, K, &[1]));
		assert_ok!(NodeIdentity::leave(origin(&operator(2)), node(2)));
		assert_noop!(try_open(D, R, K, &[1, 2]), Error::<Test>::RouterNotActive);
	});
}

#[test]
fn deposit_and_reserve_have_a_common_ceiling() {
	let rich = MAX_FUNDS + 1_000_000;
	new_chain(rich, TERMS, POLICY).execute_with(|| {
		assert_noop!(try_open(Amount::MAX, 1, K, &[]), Error::<Test>::TooLarge);
		assert_noop!(try_open(1, Amount::MAX, K, &[]), Error::<Test>::TooLarge);
		let reserve = MAX_FUNDS / 5;
		assert_noop!(try_open(MAX_FUNDS - reserve + 1, reserve, K, &[]), Error::<Test>::TooLarge);
		assert_ok!(try_open(MAX_FUNDS - reserve, reserve, K, &[]));
		assert_eq!(held(&payer()), MAX_FUNDS);
		check_everything();
	});
}

#[test]
fn the_reserve_is_at_least_a_fifth_of_the_deposit_rounded_up() {
	run(|| {
		assert_noop!(try_open(10_001, 2_000, 1, &[]), Error::<Test>::ReserveTooSmall);
		assert_ok!(try_open(10_001, 2_001, 1, &[]));
		assert_ok!(try_open(10_000, 2_000, 1, &[]));
	});
}

#[test]
fn the_reserve_gives_every_slot_four_minimum_claims() {
	run(|| {
		assert_noop!(try_open(0, 1_599, 4, &[]), Error::<Test>::ReserveTooSmall);
		assert_ok!(try_open(0, 1_600, 4, &[]));
		assert_ok!(Rewards::set_terms(RuntimeOrigin::root(), Terms { min_claim: Amount::MAX, ..TERMS }));
		assert_noop!(try_open(0, 1_600, 4, &[]), Error::<Test>::ReserveTooSmall);
	});
}

#[test]
fn without_a_minimum_claim_each_slot_is_still_secured_by_something() {
	run(|| {
		assert_ok!(Rewards::set_terms(RuntimeOrigin::root(), Terms { min_claim: 0, ..TERMS }));
		assert_noop!(try_open(0, 0, 1, &[]), Error::<Test>::ReserveTooSmall);
		assert_noop!(try_open(0, 3, 4, &[]), Error::<Test>::ReserveTooSmall);
		assert_ok!(try_open(0, 4, 4, &[]));
	});
}

#[test]
fn who_cannot_pay_opens_nothing() {
	run(|| {
		let all = free(&payer());
		assert_noop!(try_open(all - R, R + all / 4, K, &[]), DispatchError::Token(TokenError::FundsUnavailable));
		// The records have to be paid for as well, and the account has to go on existing.
		let most = all - STORAGE - EXISTENTIAL_DEPOSIT;
		let reserve = most / 5;
		assert_noop!(try_open(most - reserve + 1, reserve, K, &[]), DispatchError::Token(TokenError::FundsUnavailable));
		assert_ok!(try_open(most - reserve, reserve, K, &[]));
		assert_eq!(money(&payer()), (EXISTENTIAL_DEPOSIT, most, STORAGE));
		assert_eq!(Balances::total_balance(&payer()), ENDOWMENT);
	});
}

#[test]
fn somebody_must_sign() {
	run(|| {
		let none = RuntimeOrigin::none();
		assert_noop!(Rewards::open(none, None, KEY, D, R, K, names(&[])), DispatchError::BadOrigin);
		let root = RuntimeOrigin::root();
		assert_noop!(Rewards::open(root, None, KEY, D, R, K, names(&[])), DispatchError::BadOrigin);
	});
}

#[test]
fn an_id_is_never_used_again_and_a_new_channel_knows_nothing_of_an_old_one() {
	run(|| {
		let first = open_naming(&[1]);
		assert_ok!(claim(first, 2, 5_000));
		assert_ok!(Rewards::close(origin(&payer()), first));
		next_blocks(WINDOW);
		assert_ok!(Rewards::finish(origin(&payer()), first));
		assert_eq!(AllChannels::<Test>::iter().count() + Slots::<Test>::iter().count(), 0);
		let second = open();
		assert_eq!((first, second), (0, 1));
		assert_eq!(slot(second, 1), None);
		assert_eq!(claim(first, 2, 6_000), Err(crate::SettleError::UnknownChannel));
	});
}

#[test]
fn a_refused_opening_uses_no_id() {
	run(|| {
		assert_noop!(try_open(D, 0, K, &[]), Error::<Test>::ReserveTooSmall);
		assert_eq!(open(), 0);
	});
}

#[test]
fn when_ids_are_used_up_nothing_opens_and_nothing_is_held() {
	run(|| {
		NextChannelId::<Test>::put(u64::MAX - 1);
		assert_eq!(open(), u64::MAX - 1);
		assert_noop!(try_open(D, R, K, &[]), Error::<Test>::IdsExhausted);
		assert_eq!(held(&payer()), D + R);
	});
}

#[test]
#[should_panic = "θ is at most 0.8"]
fn a_genesis_with_an_unsound_policy_builds_no_chain() {
	new_chain(ENDOWMENT, TERMS, crate::Policy { theta: sp_runtime::Perbill::from_percent(81), ..POLICY });
}
