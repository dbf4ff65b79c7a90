//! Random sequences of calls by several operators with several nodes, with time passing: whatever succeeds or is
//! refused, the invariants hold after every step, no money comes or goes, and what is refused changes nothing.

use frame_system::RawOrigin;
use proptest::{prelude::*, test_runner::RngSeed};
use sp_runtime::{DispatchResult, StateVersion};
use towpath_primitives::Profile;

use crate::{mock::*, Admission, Routers, Vouches};

const OPERATORS: std::ops::RangeInclusive<u8> = 1..=4;
/// In the place of an operator: whoever may make this call.
const RIGHTFUL: u8 = 0;
const NODES: std::ops::RangeInclusive<u8> = 1..=8;

#[derive(Clone, Debug)]
enum Step {
	Pass(u64),
	/// Operator, node, for whom the proof is, name.
	Register(u8, u8, u8, u8),
	Update(u8, u8, u8, u64),
	Leave(u8, u8),
	Withdraw(u8, u8),
	Vouch(u8, u8, u8),
	Unvouch(u8, u8),
	Invite(u8),
	SetAdmission(Admission),
	SetBonds(u128, u128),
	Jail(u8, bool),
	Unjail(u8),
}

fn step() -> impl Strategy<Value = Step> {
	let (n, name) = (NODES, 0u8..6);
	// Mostly whom the call is for; sometimes anybody.
	let who = prop_oneof![4 => Just(RIGHTFUL), 1 => OPERATORS];
	let admission = prop_oneof![
		5 => Just(Admission::Open),
		3 => (1u32..3).prop_map(Admission::Vouched),
		1 => Just(Admission::Invitation),
	];
	prop_oneof![
		8 => prop_oneof![3 => 1u64..12, 2 => Just(VOUCH_PERIOD), 1 => Just(LEAVE_DELAY)].prop_map(Step::Pass),
		10 => (OPERATORS, n.clone(), OPERATORS, name.clone(), 0u8..6)
			.prop_map(|(who, n, other, name, lie)| Step::Register(who, n, if lie == 0 { other } else { who }, name)),
		4 => (who.clone(), n.clone(), name, 0u64..9)
			.prop_map(|(who, n, name, price)| Step::Update(who, n, name, price)),
		2 => (who.clone(), n.clone()).prop_map(|(who, n)| Step::Leave(who, n)),
		6 => (who.clone(), n.clone()).prop_map(|(who, n)| Step::Withdraw(who, n)),
		10 => (who.clone(), n.clone(), n.clone()).prop_map(|(who, voucher, n)| Step::Vouch(who, voucher, n)),
		4 => (who, n.clone()).prop_map(|(who, n)| Step::Unvouch(who, n)),
		1 => n.clone().prop_map(Step::Invite),
		1 => admission.prop_map(Step::SetAdmission),
		1 => (0u128..3_000, 0u128..400).prop_map(|(router, vouch)| Step::SetBonds(router, vouch)),
		2 => (n.clone(), any::<bool>()).prop_map(|(n, forfeit)| Step::Jail(n, forfeit)),
		2 => n.prop_map(Step::Unjail),
	]
}

/// The account meant by `who` for a call about node `n`: if it is [`RIGHTFUL`], the node's operator.
fn operator_of(who: u8, n: u8) -> RuntimeOrigin {
	let operator = || Routers::<Test>::get(node(n)).map(|router| router.operator);
	RuntimeOrigin::signed(Some(who).filter(|who| *who != RIGHTFUL).map(account).or_else(operator).unwrap_or(account(1)))
}

/// The same for vouches: somebody who vouches for node `n`.
fn voucher_of(who: u8, n: u8) -> RuntimeOrigin {
	let voucher = || Vouches::<Test>::iter_key_prefix(node(n)).next();
	RuntimeOrigin::signed(Some(who).filter(|who| *who != RIGHTFUL).map(account).or_else(voucher).unwrap_or(account(1)))
}

fn named(name: u8, price: u64) -> Profile {
	Profile { price, ..profile(&format!("name-{name}")) }
}

fn apply(step: &Step) -> DispatchResult {
	let root = || RawOrigin::Root.into();
	match step.clone() {
		Step::Pass(blocks) => {
			pass(blocks);
			Ok(())
		}
		Step::Register(who, n, proven, name) => {
			NodeIdentity::register(signed(who), node(n), proof(n, proven), named(name, 1))
		}
		Step::Update(who, n, name, price) => NodeIdentity::update(operator_of(who, n), node(n), named(name, price)),
		Step::Leave(who, n) => NodeIdentity::leave(operator_of(who, n), node(n)),
		Step::Withdraw(who, n) => NodeIdentity::withdraw(operator_of(who, n), node(n)),
		Step::Vouch(who, voucher, n) => NodeIdentity::vouch(operator_of(who, voucher), node(voucher), node(n)),
		Step::Unvouch(who, n) => NodeIdentity::unvouch(voucher_of(who, n), node(n)),
		Step::Invite(n) => NodeIdentity::invite(root(), node(n)),
		Step::SetAdmission(policy) => NodeIdentity::set_admission(root(), policy),
		Step::SetBonds(router, vouch) => NodeIdentity::set_bonds(root(), router, vouch),
		Step::Jail(n, forfeit) => NodeIdentity::jail(root(), node(n), forfeit).map(|_| ()).map_err(|e| e.error),
		Step::Unjail(n) => NodeIdentity::unjail(root(), node(n)),
	}
}

proptest! {
	// The same cases on every machine and in every run.
	#![proptest_config(ProptestConfig {
		cases: 48,
		rng_seed: RngSeed::Fixed(0x70_77_61_74_68),
		failure_persistence: None,
		..ProptestConfig::default()
	})]

	#[test]
	fn no_sequence_of_calls_breaks_the_registry(steps in prop::collection::vec(step(), 100..300)) {
		run(|| {
			let issuance = Balances::total_issuance();
			for step in &steps {
				let before = sp_io::storage::root(StateVersion::V1);
				if apply(step).is_err() {
					assert_eq!(sp_io::storage::root(StateVersion::V1), before, "refused, but not without effect");
				}
				check_state();
				assert_eq!(Balances::total_issuance(), issuance);
			}
			// Time heals everything: all who leave get everything back, but for what was forfeited.
			for n in NODES {
				if let Some(operator) = Routers::<Test>::get(node(n)).map(|router| router.operator) {
					let origin = RuntimeOrigin::signed(operator);
					let _ = NodeIdentity::leave(origin.clone(), node(n));
					pass(LEAVE_DELAY);
					NodeIdentity::withdraw(origin, node(n)).unwrap();
				}
				for who in OPERATORS {
					let _ = NodeIdentity::unvouch(signed(who), node(n));
				}
			}
			assert_eq!(pallet_balances::Holds::<Test>::iter().count(), 0);
		});
	}
}
