//! Sessions and eras: who is elected, when the set turns, and what each validator is paid for.

use codec::Encode;
use frame_support::{assert_ok, traits::KeyOwnerProofSystem};
use pallet_authorship::EventHandler;
use pallet_bandwidth_attestations::StandingUntil;
use sp_core::{ed25519, Pair};
use sp_runtime::key_types::DUMMY;
use towpath_primitives::{possession_payload, sign_ed25519, NodeId, Profile, Receipt};

use crate::{
	mock::*, ActiveSet, ActiveValidator, Authored, Candidate, CandidateCount, ElectedSet, ElectionRule, Event,
	GenesisValidator,
};

fn validator(n: u8, bond: u128) -> ActiveValidator<AccountId> {
	ActiveValidator { operator: account(n), node: node(n), bond }
}

/// Up to the block in which the set of the next era is elected.
fn go_to_election() {
	go_to_session((Session::current_index() / SESSIONS + 1) * SESSIONS - 1);
}

/// The set that the next era has.
fn next_set() -> Vec<u8> {
	next_era();
	assert_eq!(validators(), active());
	active()
}

// Genesis.

#[test]
fn the_genesis_set_serves_from_the_first_block_and_is_bonded() {
	run(|| {
		assert_eq!((Session::current_index(), Rewards::current_era()), (0, 0));
		assert_eq!((validators(), active()), (GENESIS.to_vec(), GENESIS.to_vec()));
		assert_eq!(CandidateCount::<Test>::get(), 4);
		for n in GENESIS {
			assert_eq!(candidate(n), Some(Candidate { node: node(n), bond: BOND, barred: false, idle: false }));
			assert_eq!((bonded(n), free(n)), (BOND, ENDOWMENT - ROUTER_BOND - BOND));
		}
		assert_eq!(ElectedSet::<Test>::get(), None);
	});
}

#[test]
fn the_genesis_set_serves_the_whole_first_era() {
	run(|| {
		for n in NEWCOMERS {
			assert_ok!(declare(n, 2 * BOND));
		}
		for session in 0..SESSIONS {
			go_to_session(session);
			assert_eq!((validators(), active(), Rewards::current_era()), (GENESIS.to_vec(), GENESIS.to_vec(), 0));
		}
		assert_eq!(next_set(), [5, 6, 7, 1]);
	});
}

#[test]
#[should_panic(expected = "a genesis validator can pay its bond, once")]
fn a_genesis_validator_cannot_be_named_twice() {
	chain(RULE, [genesis_validators(), genesis_validators()].concat());
}

#[test]
#[should_panic(expected = "a genesis validator can pay its bond, once")]
fn a_genesis_validator_cannot_be_poorer_than_its_bond() {
	chain(RULE, vec![GenesisValidator { operator: account(1), node: node(1), bond: ENDOWMENT }]);
}

#[test]
fn without_genesis_validators_the_session_keys_say_who_starts_until_an_election_succeeds() {
	run_on(chain(RULE, Vec::new()), || {
		assert_eq!((validators(), active()), (GENESIS.to_vec(), vec![]));
		block_by(1);
		assert_eq!(Authored::<Test>::iter().count(), 0, "the members of no set are paid for nothing");
		next_era();
		assert_eq!((validators(), active()), (GENESIS.to_vec(), vec![]));
		assert_ok!(declare(5, BOND));
		assert_ok!(declare(6, BOND));
		assert_eq!(next_set(), [5, 6]);
	});
}

// Who is elected.

#[test]
fn the_highest_bonds_are_elected_up_to_the_cap() {
	run(|| {
		assert_ok!(declare(5, BOND + 1));
		assert_ok!(declare(6, 3 * BOND));
		assert_ok!(declare(7, BOND - 1));
		assert_ok!(ValidatorElection::raise_bond(signed(4), 2));
		go_to_election();
		let nodes = [6, 4, 5, 1].map(node).to_vec();
		assert_eq!(events(), [Event::Elected { session: SESSIONS, nodes }]);
		assert_eq!(next_set(), [6, 4, 5, 1]);
		assert_eq!(
			ActiveSet::<Test>::get().into_inner(),
			[validator(6, 3 * BOND), validator(4, BOND + 2), validator(5, BOND + 1), validator(1, BOND)]
		);
	});
}

#[test]
fn of_equal_bonds_the_smaller_node_id_wins_whoever_came_first() {
	run(|| {
		for n in GENESIS {
			assert_ok!(ValidatorElection::leave(signed(n)));
		}
		// Operator 7 with its router 17, which has the largest id.
		assert_ok!(ValidatorElection::declare(signed(7), node(SECOND_ROUTER), BOND));
		assert_ok!(declare(6, BOND));
		assert_ok!(declare(5, BOND));
		assert_eq!(next_set(), [5, 6, 7]);
		let rule = ElectionRule { floor: 1, cap: 2, ..RULE };
		assert_ok!(ValidatorElection::set_rule(RuntimeOrigin::root(), rule));
		assert_eq!(next_set(), [5, 6]);
	});
}

#[test]
fn a_router_that_was_jailed_is_not_elected() {
	run(|| {
		assert_ok!(NodeIdentity::jail(RuntimeOrigin::root(), node(1), false));
		assert_eq!(next_set(), [2, 3, 4]);
		assert_ok!(NodeIdentity::unjail(RuntimeOrigin::root(), node(1)));
		assert_eq!(next_set(), GENESIS);
	});
}

#[test]
fn a_router_that_leaves_or_is_gone_is_not_elected() {
	run(|| {
		assert_ok!(NodeIdentity::leave(signed(1), node(1)));
		assert_eq!(next_set(), [2, 3, 4]);
		System::set_block_number(System::block_number() + LEAVE_DELAY);
		assert_ok!(NodeIdentity::withdraw(signed(1), node(1)));
		assert_eq!(next_set(), [2, 3, 4]);
		// Its bond is not lost by that.
		assert_eq!(bonded(1), BOND);
		assert_ok!(ValidatorElection::leave(signed(1)));
	});
}

#[test]
fn of_two_candidates_with_one_router_only_its_operator_is_elected() {
	run(|| {
		let seed = [8; 32];
		let id = NodeId(ed25519::Pair::from_seed(&seed).public().0);
		let register = |n: u8| {
			let payload = possession_payload(&pallet_node_identity::genesis_hash::<Test>(), &[n; 32]);
			let profile = Profile { name: b"moved".to_vec(), ..Profile::default() };
			NodeIdentity::register(signed(n), id, sign_ed25519(&seed, &payload), profile)
		};
		assert_ok!(register(IDLE));
		StandingUntil::<Test>::insert(id, TERM);
		assert_ok!(ValidatorElection::declare(signed(IDLE), id, 3 * BOND));
		assert_eq!(next_set(), [IDLE, 1, 2, 3]);
		// The router passes to somebody else, and both bonds name it.
		assert_ok!(NodeIdentity::leave(signed(IDLE), id));
		System::set_block_number(System::block_number() + LEAVE_DELAY);
		assert_ok!(NodeIdentity::withdraw(signed(IDLE), id));
		assert_ok!(register(ROUTERLESS));
		assert_ok!(ValidatorElection::declare(signed(ROUTERLESS), id, 2 * BOND));
		assert_eq!(next_set(), [ROUTERLESS, 1, 2, 3]);
	});
}

#[test]
fn a_router_without_standing_is_not_elected() {
	run(|| {
		assert_ok!(declare(IDLE, 5 * BOND));
		assert_eq!(next_set(), GENESIS);
		lose_standing(2);
		assert_eq!(next_set(), [1, 3, 4]);
	});
}

#[test]
fn standing_must_last_into_the_coming_era() {
	run(|| {
		StandingUntil::<Test>::insert(node(1), 0);
		StandingUntil::<Test>::insert(node(2), 1);
		assert_eq!(next_set(), [2, 3, 4], "elected in era 0 for era 1");
		assert_eq!(next_set(), [3, 4]);
	});
}

#[test]
fn a_claim_for_relayed_traffic_gives_the_standing_that_is_needed() {
	run(|| {
		assert_ok!(declare(IDLE, 5 * BOND));
		let seed = [7; 32];
		let key = ed25519::Pair::from_seed(&seed).public().0;
		assert_ok!(Rewards::open(signed(ROUTERLESS), None, key, 10_000, 2_000, 1, Default::default()));
		let receipt = Receipt { channel: 0, node: node(IDLE), owed: STANDING_MINIMUM, bytes: 1 << 20 };
		let receipt = receipt.sign(&pallet_node_identity::genesis_hash::<Test>(), &seed);
		assert_ok!(BandwidthAttestations::claim(signed(IDLE), receipt));
		assert_eq!(next_set(), [IDLE, 1, 2, 3]);
	});
}

#[test]
fn a_candidate_without_session_keys_is_not_elected() {
	run(|| {
		go_to_session(1);
		assert_ok!(Session::purge_keys(signed(1)));
		assert_eq!(next_set(), [2, 3, 4]);
		assert_ok!(set_keys(1, keys(101)));
		assert_eq!(next_set(), GENESIS);
	});
}

#[test]
fn a_candidate_below_the_minimum_is_not_elected() {
	run(|| {
		for n in [2, 3, 4] {
			assert_ok!(ValidatorElection::raise_bond(signed(n), 1));
		}
		let rule = ElectionRule { min_bond: BOND + 1, ..RULE };
		assert_ok!(ValidatorElection::set_rule(RuntimeOrigin::root(), rule));
		assert_eq!(next_set(), [2, 3, 4]);
	});
}

// Too few.

#[test]
fn as_many_as_the_floor_are_enough() {
	run(|| {
		lose_standing(1);
		lose_standing(2);
		assert_eq!(next_set(), [3, 4]);
	});
}

#[test]
fn with_fewer_than_the_floor_the_set_stays_and_the_chain_goes_on() {
	run(|| {
		[1, 2, 3].into_iter().for_each(lose_standing);
		for era in 0..4u32 {
			let session = (era + 1) * SESSIONS;
			blocks_by(2, 3);
			go_to_election();
			assert_eq!(events(), [Event::SetKept { session, qualified: 1 }]);
			assert_eq!(ElectedSet::<Test>::get(), None);
			assert_eq!(next_set(), GENESIS);
			// Eras go on, and so does pay.
			assert_eq!((Session::current_index(), Rewards::current_era()), (session, era + 1));
			assert_eq!((pay(era, 1), pay(era, 2)), (0, FULL_PAY * 3 / 8));
		}
		StandingUntil::<Test>::insert(node(1), 10);
		assert_eq!(next_set(), [1, 4]);
	});
}

#[test]
fn nobody_at_all_is_fewer_than_the_floor_too() {
	run(|| {
		for n in GENESIS {
			assert_ok!(ValidatorElection::leave(signed(n)));
		}
		go_to_election();
		assert_eq!(events(), [Event::SetKept { session: SESSIONS, qualified: 0 }]);
		assert_eq!(next_set(), GENESIS);
		assert_eq!(next_set(), GENESIS);
	});
}

#[test]
fn a_rule_from_genesis_without_enough_places_elects_nobody_to_death() {
	for rule in [ElectionRule::default(), ElectionRule { floor: 3, cap: 2, min_bond: 0, ..RULE }] {
		run_on(chain(rule, genesis_validators()), || {
			go_to_election();
			assert_eq!(events(), [Event::SetKept { session: SESSIONS, qualified: 4 }]);
			assert_eq!(next_set(), GENESIS);
			assert_ok!(ValidatorElection::set_rule(
				RuntimeOrigin::root(),
				ElectionRule { floor: 1, cap: 2, min_bond: 0, ..RULE }
			));
			assert_eq!(next_set(), [1, 2]);
		});
	}
}

#[test]
fn a_rule_from_genesis_with_more_places_than_there_are_fills_those_there_are() {
	run_on(chain(ElectionRule { floor: 1, cap: u32::MAX, min_bond: 0, ..RULE }, genesis_validators()), || {
		for n in NEWCOMERS {
			assert_ok!(declare(n, BOND));
		}
		go_to_election();
		let nodes = [1, 2, 3, 4, 5, 6].map(node).to_vec();
		assert_eq!(events(), [Event::Elected { session: SESSIONS, nodes }]);
		assert_eq!(next_set(), [1, 2, 3, 4, 5, 6]);
	});
}

// When the set turns.

#[test]
fn the_set_is_elected_one_session_before_its_era_and_serves_exactly_from_there() {
	run(|| {
		assert_ok!(declare(5, 2 * BOND));
		let old = GENESIS.to_vec();
		let new = vec![5, 1, 2, 3];
		for session in 0..3 * SESSIONS {
			go_to_session(session);
			assert_eq!(Rewards::current_era(), session / SESSIONS);
			let expected = if session < SESSIONS { &old } else { &new };
			assert_eq!((&validators(), &active()), (expected, expected), "session {session}");
			let last = session % SESSIONS == SESSIONS - 1;
			assert_eq!(ElectedSet::<Test>::exists(), last, "session {session}");
			assert_eq!(matches!(events()[..], [Event::Elected { .. }]), last, "session {session}");
		}
	});
}

#[test]
fn who_declares_after_the_election_waits_for_the_next() {
	run(|| {
		go_to_election();
		assert_ok!(declare(5, 2 * BOND));
		assert_eq!(next_set(), GENESIS);
		assert_eq!(next_set(), [5, 1, 2, 3]);
	});
}

#[test]
fn an_era_can_be_a_single_session() {
	run(|| {
		SessionsPerEra::set(1);
		assert_ok!(declare(5, 2 * BOND));
		blocks_by(1, 2);
		next_session();
		// The first two sessions are the genesis set's: the election for the second was at genesis.
		assert_eq!((validators(), active(), Rewards::current_era()), (GENESIS.to_vec(), GENESIS.to_vec(), 1));
		// Ten slots for four validators: three blocks each.
		assert_eq!(pay(0, 1), FULL_PAY * 2 / 3);
		next_session();
		assert_eq!((validators(), active(), Rewards::current_era()), (vec![5, 1, 2, 3], vec![5, 1, 2, 3], 2));
		lose_standing(5);
		next_session();
		assert_eq!(active(), [5, 1, 2, 3]);
		next_session();
		assert_eq!((validators(), active(), Rewards::current_era()), (GENESIS.to_vec(), GENESIS.to_vec(), 4));
	});
}

#[test]
fn history_identifies_a_validator_with_the_router_and_bond_that_it_was_elected_with() {
	run(|| {
		assert_ok!(declare(5, 2 * BOND));
		let key = |n: u8| (DUMMY, keys(n).dummy.encode());
		let genesis_proof = Historical::prove(key(4)).unwrap();
		assert_ok!(ValidatorElection::raise_bond(signed(3), 1));
		go_to_election();
		// Elected with a higher bond for the coming era, but serving under the lower one still.
		let raised_proof = Historical::prove(key(3)).unwrap();
		assert_eq!(Historical::check_proof(key(3), raised_proof.clone()), Some((account(3), validator(3, BOND))));
		let last_proof = Historical::prove(key(4)).unwrap();
		assert_ok!(ValidatorElection::raise_bond(signed(5), 1));
		next_era();
		let proof = Historical::prove(key(5)).unwrap();
		let elected = Some((account(5), validator(5, 2 * BOND)));
		assert_eq!(Historical::check_proof(key(5), proof.clone()), elected);
		next_eras(2);
		assert_eq!(Historical::check_proof(key(5), proof), elected);
		// Whoever was voted out can still be proved to have served.
		for proof in [genesis_proof, last_proof] {
			assert_eq!(Historical::check_proof(key(4), proof), Some((account(4), validator(4, BOND))));
		}
		assert_eq!(Historical::check_proof(key(3), raised_proof), Some((account(3), validator(3, BOND))));
		let absence = Historical::prove(key(4)).unwrap();
		assert_eq!(Historical::check_proof(key(4), absence), None);
	});
}

// What each validator is paid for.

#[test]
fn authored_blocks_are_counted_and_paid_at_the_end_of_the_era() {
	run(|| {
		// 30 slots for four validators: eight are expected of each.
		blocks_by(1, 1);
		blocks_by(2, 7);
		next_session();
		blocks_by(3, 9);
		next_session();
		assert_eq!([1, 2, 3, 4].map(authored), [1, 7, 9, 0]);
		blocks_by(2, 1);
		assert_eq!(pay(0, 1), 0, "the era is still running");
		next_era();
		assert_eq!([1, 2, 3, 4].map(|n| pay(0, n)), [1_250, FULL_PAY, FULL_PAY, 0]);
		assert_eq!(Authored::<Test>::iter().count(), 0, "the next era's books are empty");
		next_era();
		assert_eq!([1, 2, 3, 4].map(|n| pay(1, n)), [0; 4]);
	});
}

#[test]
fn pay_follows_the_bond_and_is_rounded_down() {
	run(|| {
		assert_ok!(declare(5, 2_000_900));
		next_era();
		blocks_by(5, 3);
		blocks_by(1, 3);
		next_era();
		// 1 % of the bond is 20,009; three of eight blocks.
		assert_eq!((pay(1, 5), pay(1, 1)), (7_503, 3_750));
	});
}

#[test]
fn with_fewer_validators_more_is_expected_of_each() {
	run(|| {
		lose_standing(4);
		next_era();
		assert_eq!(active(), [1, 2, 3]);
		blocks_by(1, 9);
		next_era();
		assert_eq!(pay(1, 1), FULL_PAY * 9 / 10);
	});
}

#[test]
fn the_first_block_of_an_era_belongs_to_the_new_set_and_the_new_era() {
	run(|| {
		assert_ok!(declare(5, 2 * BOND));
		go_to_election();
		blocks_by(4, 9);
		assert_eq!((System::block_number(), Rewards::current_era(), authored(4)), (29, 0, 9));
		block_by(5);
		assert_eq!((Session::current_index(), Rewards::current_era()), (SESSIONS, 1));
		assert_eq!((authored(4), authored(5)), (0, 1));
		assert_eq!((pay(0, 4), pay(0, 5)), (FULL_PAY, 0));
		next_era();
		assert_eq!((pay(1, 4), pay(1, 5)), (0, 2 * FULL_PAY / 8));
	});
}

#[test]
fn blocks_of_somebody_outside_the_set_are_not_counted() {
	run(|| {
		<ValidatorElection as EventHandler<_, _>>::note_author(account(5));
		<ValidatorElection as EventHandler<_, _>>::note_author(account(1));
		assert_eq!(Authored::<Test>::iter().collect::<Vec<_>>(), [(account(1), 1)]);
	});
}

#[test]
fn what_was_earned_is_minted_once_and_nothing_else_is() {
	run(|| {
		let issuance = Balances::total_issuance();
		blocks_by(1, 4);
		next_era();
		assert_eq!(Balances::total_issuance(), issuance);
		let before = free(1);
		// Anyone may have it paid out.
		assert_ok!(Rewards::payout(signed(5), node(1), 0));
		assert_eq!((free(1), Balances::total_issuance()), (before + FULL_PAY / 2, issuance + FULL_PAY / 2));
		assert!(Rewards::payout(signed(1), node(1), 0).is_err());
	});
}
