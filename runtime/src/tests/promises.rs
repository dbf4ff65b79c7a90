//! What is held stays held, what is owed stays owed, and who is needed stays: found by the random histories, told in short.

use frame_support::{assert_noop, assert_ok, traits::Hooks};
use pallet_proxy::Event::PureCreated;
use sp_keyring::Sr25519Keyring::{Bob, Charlie};
use sp_runtime::traits::Dispatchable;

use super::{governance::signed, *};
use crate::configs::ProxyType;

fn held(who: &AccountId) -> Balance {
	pallet_balances::Holds::<Runtime>::get(who).iter().map(|hold| hold.amount).sum()
}

fn reserved(who: &AccountId) -> Balance {
	System::account(who).data.reserved
}

/// Eve has a channel, and an account made for her which has four delegates more than it was made with.
fn with_a_channel_and_an_account(test: impl FnOnce(AccountId, &dyn Fn(RuntimeCall))) {
	genesis("local_testnet").execute_with(|| {
		let named = Default::default();
		assert_ok!(Rewards::open(signed(Eve), None, [9; 32], 20 * UNIT, 5 * UNIT, 1, named));
		assert_ok!(Proxy::create_pure(signed(Eve), ProxyType::Any, 0, 0));
		let found = System::events().into_iter().find_map(|record| match record.event {
			RuntimeEvent::Proxy(PureCreated { pure, .. }) => Some(pure),
			_ => None,
		});
		let pure = found.unwrap();
		Balances::mint_into(&pure, 10 * UNIT).unwrap();
		let through = |call| {
			let real = pure.clone().into();
			assert_ok!(Proxy::proxy(signed(Eve), real, None, Box::new(call)));
		};
		for delegate in 1..5 {
			let (delegate, proxy_type) = (AccountId::from([delegate; 32]).into(), ProxyType::Any);
			through(pallet_proxy::Call::add_proxy { delegate, proxy_type, delay: 0 }.into());
		}
		test(pure.clone(), &through);
	});
}

#[test]
fn the_deposit_of_an_account_that_ends_does_not_come_out_of_a_channels_money() {
	with_a_channel_and_an_account(|pure, through| {
		let eve = Eve.to_account_id();
		let channel = held(&eve);
		assert!(reserved(&eve) > channel, "and the deposit");
		let (height, ext_index) = (System::block_number(), System::extrinsic_index().unwrap_or_default());
		let (spawner, proxy_type) = (eve.clone().into(), ProxyType::Any);
		through(pallet_proxy::Call::kill_pure { spawner, proxy_type, index: 0, height, ext_index }.into());
		assert!(!pallet_proxy::Proxies::<Runtime>::contains_key(&pure), "it has ended");
		assert_eq!(held(&eve), channel);
		assert_eq!(reserved(&eve), channel, "what is held is there");
	});
}

#[test]
fn an_account_that_dismisses_its_delegates_keeps_what_is_held_of_it() {
	with_a_channel_and_an_account(|pure, through| {
		let (deposit, reserve) = (4 * UNIT, UNIT);
		let open = pallet_rewards::Call::open {
			payer: None,
			receipt_key: [9; 32],
			deposit,
			reserve,
			max_slots: 1,
			named: Default::default(),
		};
		through(open.into());
		let before = held(&pure);
		assert!(before > deposit + reserve);
		// It never paid for the first delegate.
		through(pallet_proxy::Call::remove_proxies {}.into());
		assert_eq!((held(&pure), reserved(&pure)), (before, before));
	});
}

#[test]
fn nobody_takes_away_the_keys_that_a_set_counts_on_in_any_way() {
	genesis("local_testnet").execute_with(|| {
		let filtered = frame_system::Error::<Runtime>::CallFiltered.into();
		let purge = RuntimeCall::Session(pallet_session::Call::purge_keys {});
		assert_eq!(purge.clone().dispatch(signed(Bob)).unwrap_err().error, filtered);
		let batch = RuntimeCall::Utility(pallet_utility::Call::batch_all { calls: vec![purge] });
		assert_eq!(batch.dispatch(signed(Bob)).unwrap_err().error, filtered);
		let needed: sp_runtime::DispatchError = pallet_validator_election::Error::<Runtime>::KeysNeeded.into();
		assert_noop!(ValidatorElection::purge_keys(signed(Bob)), needed);
		assert_ok!(ValidatorElection::leave(signed(Bob)));
		assert_noop!(ValidatorElection::purge_keys(signed(Bob)), needed);
		assert!(Session::load_keys(&Bob.to_account_id()).is_some());
	});
}

/// Charlie's router, which is leaving, and whose delay is over; neither it nor its operator validates.
fn with_a_leaving_router(test: impl FnOnce(NodeId)) {
	genesis("local_testnet").execute_with(|| {
		let node = presets::node_ids()[2];
		pallet_validator_election::ActiveSet::<Runtime>::mutate(|set| set.retain(|validator| validator.node != node));
		assert_ok!(NodeIdentity::leave(signed(Charlie), node));
		System::set_block_number(System::block_number() + <periods::LeaveBlocks as Get<u32>>::get());
		test(node);
	});
}

#[test]
fn a_record_outlives_the_rewards_that_only_it_leads_to_its_operator() {
	with_a_leaving_router(|node| {
		let still_needed: sp_runtime::DispatchError = pallet_node_identity::Error::<Runtime>::StillNeeded.into();
		pallet_rewards::ValidatorPay::<Runtime>::insert(0, node, UNIT);
		pallet_rewards::CurrentEra::<Runtime>::put(3);
		assert_noop!(NodeIdentity::withdraw(signed(Charlie), node), still_needed);
		let before = Balances::balance(&Charlie.to_account_id());
		assert_ok!(Rewards::payout(signed(Eve), node, 0));
		assert_eq!(Balances::balance(&Charlie.to_account_id()), before + UNIT);
		assert_ok!(NodeIdentity::withdraw(signed(Charlie), node));
	});
}

#[test]
fn a_record_outlives_what_a_reserve_owes_to_its_router() {
	with_a_leaving_router(|node| {
		let receipts = ed25519::Pair::from_seed(&[5; 32]);
		pallet_node_identity::Routers::<Runtime>::mutate(node, |router| {
			router.as_mut().unwrap().status = towpath_primitives::RouterStatus::Active;
		});
		let named = vec![node].try_into().unwrap();
		assert_ok!(Rewards::open(signed(Eve), None, receipts.public().0, 5 * UNIT, 5 * UNIT, 1, named));
		pallet_node_identity::Routers::<Runtime>::mutate(node, |router| {
			router.as_mut().unwrap().status = towpath_primitives::RouterStatus::Leaving;
		});
		let receipt = Receipt { channel: 0, node, owed: 8 * UNIT, bytes: 1 };
		let receipt = receipt.sign(&pallet_node_identity::genesis_hash::<Runtime>(), &receipts.seed());
		assert_ok!(BandwidthAttestations::claim(signed(Charlie), receipt));
		// The era's share of it has been drawn.
		let _ = pallet_rewards::SubsidyShares::<Runtime>::clear_prefix(0, 9, None);
		let still_needed: sp_runtime::DispatchError = pallet_node_identity::Error::<Runtime>::StillNeeded.into();
		assert_noop!(NodeIdentity::withdraw(signed(Charlie), node), still_needed);
		for _ in 0..pallet_rewards::CurrentTerms::<Runtime>::get().window {
			Rewards::on_poll(System::block_number(), &mut frame_support::weights::WeightMeter::new());
		}
		let before = Balances::balance(&Charlie.to_account_id());
		assert_ok!(Rewards::finish(signed(Eve), 0));
		assert!(Balances::balance(&Charlie.to_account_id()) > before, "the reserve has paid");
		let _ = pallet_rewards::SubsidyShares::<Runtime>::clear_prefix(0, 9, None);
		assert_ok!(NodeIdentity::withdraw(signed(Charlie), node));
		assert_invariants();
	});
}

#[test]
fn a_router_that_validates_stays_on_record_and_its_standing_goes_with_it() {
	use pallet_bandwidth_attestations::Standing;
	with_a_leaving_router(|node| {
		let still_needed: sp_runtime::DispatchError = pallet_node_identity::Error::<Runtime>::StillNeeded.into();
		let set = pallet_validator_election::ActiveSet::<Runtime>::get();
		let operator = Charlie.to_account_id();
		let validator = pallet_validator_election::ActiveValidator { operator, node, bond: UNIT };
		pallet_validator_election::ElectedSet::<Runtime>::put(
			pallet_validator_election::ActiveSetOf::<Runtime>::truncate_from(vec![validator]),
		);
		assert_noop!(NodeIdentity::withdraw(signed(Charlie), node), still_needed);
		pallet_validator_election::ElectedSet::<Runtime>::put(set);
		assert!(BandwidthAttestations::has_standing(&node, 1));
		assert_ok!(NodeIdentity::withdraw(signed(Charlie), node));
		assert!(!BandwidthAttestations::has_standing(&node, 1), "the next operator of this node id has not relayed");
	});
}

#[test]
fn no_claim_window_outlives_a_routers_record() {
	let mut json = genesis_json("local_testnet");
	let leave = json.pointer("/periods/settings/leaveBlocks").unwrap().as_u64().unwrap();
	*json.pointer_mut("/rewards/terms/window").unwrap() = (leave + 1).into();
	let error = crate::genesis::check(json.to_string().as_bytes()).unwrap_err();
	assert!(error.contains("leaveBlocks"), "{error}");
	genesis("local_testnet").execute_with(|| {
		let terms = pallet_rewards::CurrentTerms::<Runtime>::get();
		let set = |window: u64| {
			let terms = pallet_rewards::settlement::Terms { window: window as u32, ..terms };
			Rewards::set_terms(RuntimeOrigin::root(), terms)
		};
		assert_ok!(set(leave));
		assert_noop!(set(leave + 1), pallet_rewards::Error::<Runtime>::OutOfBounds);
	});
}
