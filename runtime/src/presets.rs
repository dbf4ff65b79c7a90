//! Genesis presets: `development`, one router of Alice's, and `local_testnet`, four routers of Alice, Bob, Charlie and Dave,
//! the last of which is a gateway. Eve and Ferdie are households with money.
//!
//! Keys follow the well-known development accounts: operators and session keys are `//Alice` and so on, a router's node key
//! is the ed25519 key `//Alice//router`. They are public; nothing of value belongs on such a chain.

use alloc::{format, string::ToString, vec, vec::Vec};
use frame_support::build_struct_json_patch;
use pallet_bandwidth_attestations::StandingRule;
use pallet_node_identity::{Admission, GenesisRouter};
use pallet_rewards::{settlement::Terms, Policy};
use pallet_validator_election::{ElectionRule, GenesisValidator};
use serde_json::Value;
use sp_genesis_builder::{PresetId, DEV_RUNTIME_PRESET, LOCAL_TESTNET_RUNTIME_PRESET};
use sp_keyring::{Ed25519Keyring, Sr25519Keyring};
use sp_runtime::Perbill;
use towpath_primitives::{NodeId, Prefix, Profile};

use crate::{
	periods::Settings, AccountId, BabeConfig, Balance, BalancesConfig, BandwidthAttestationsConfig, NodeIdentityConfig,
	PeriodsConfig, RewardsConfig, RuntimeGenesisConfig, SessionConfig, SessionKeys, Treasury, ValidatorElectionConfig,
	BABE_GENESIS_EPOCH_CONFIG, UNIT,
};

/// Money of each development account.
const ENDOWMENT: Balance = 100_000 * UNIT;
/// The treasury starts with this, so that its account exists before the first fee.
const TREASURY_ENDOWMENT: Balance = 1_000 * UNIT;
/// What a router of the presets asks for, per MiB.
const PRICE: u64 = (UNIT / 20) as u64;

/// The public keys of `//Alice//router`, `//Bob//router`, `//Charlie//router` and `//Dave//router`.
const ROUTERS: [[u8; 32]; 4] = [
	hex_key(b"9ad5e5c9cb264bf58950a282248dffc0638b51e2270c175255a560296511acae"),
	hex_key(b"d648ec4e667effbd9a5deaed487e4480542c320679f815b4561317a4b2ce0469"),
	hex_key(b"dd1cb8b74fcaa5ca88b4f79fd5ece717d65b6f1000730e96343d395b4b6e3526"),
	hex_key(b"2895a427d05c1eaee81f3c01f94ff932f9b9c678fddc095f8f16ac34efbe72be"),
];

/// The operators of the presets' routers, in order.
pub const OPERATORS: [Sr25519Keyring; 4] =
	[Sr25519Keyring::Alice, Sr25519Keyring::Bob, Sr25519Keyring::Charlie, Sr25519Keyring::Dave];

/// The node ids of the presets' routers, in the same order.
pub fn node_ids() -> [NodeId; 4] {
	ROUTERS.map(NodeId)
}

const fn hex_key(text: &[u8; 64]) -> [u8; 32] {
	const fn digit(c: u8) -> u8 {
		match c {
			b'0'..=b'9' => c - b'0',
			_ => c - b'a' + 10,
		}
	}
	let mut key = [0u8; 32];
	let mut i = 0;
	while i < 32 {
		key[i] = digit(text[2 * i]) << 4 | digit(text[2 * i + 1]);
		i += 1;
	}
	key
}

/// Session keys of a development account.
fn session_keys(operator: Sr25519Keyring) -> SessionKeys {
	let grandpa = Ed25519Keyring::iter()
		.find(|key| key.to_string() == operator.to_string())
		.expect("both keyrings have the same names; qed");
	SessionKeys {
		babe: operator.public().into(),
		grandpa: grandpa.public().into(),
		authority_discovery: operator.public().into(),
	}
}

fn profile(index: usize, gateway: bool) -> Profile {
	let prefixes = if gateway { vec![Prefix::V4([0; 4], 0), Prefix::V6([0; 16], 0)] } else { vec![] };
	Profile {
		name: format!("router-{}", index + 1).into_bytes(),
		price: PRICE,
		prefixes,
		addresses: vec![],
		location: None,
	}
}

/// Two-second slots, twenty-second epochs, forty-second eras.
fn quick_periods() -> Settings {
	Settings {
		slot_ms: 2_000,
		epoch_slots: 10,
		era_sessions: 2,
		unbonding_eras: 2,
		slash_defer_eras: 1,
		leave_blocks: 200,
		update_blocks: 5,
		vouch_blocks: 100,
		spend_blocks: 20,
		spend_payout_blocks: 200,
		governance_hour: 1,
	}
}

/// A network of the first `count` routers. The last one is the gateway.
fn network(count: usize) -> Value {
	let routers: Vec<(NodeId, AccountId)> =
		node_ids().into_iter().zip(OPERATORS.map(|operator| operator.to_account_id())).take(count).collect();
	let mut balances: Vec<(AccountId, Balance)> =
		Sr25519Keyring::well_known().take(6).map(|account| (account.to_account_id(), ENDOWMENT)).collect();
	balances.push((Treasury::account_id(), TREASURY_ENDOWMENT));

	build_struct_json_patch!(RuntimeGenesisConfig {
		periods: PeriodsConfig { settings: quick_periods() },
		babe: BabeConfig { epoch_config: BABE_GENESIS_EPOCH_CONFIG },
		balances: BalancesConfig { balances },
		node_identity: NodeIdentityConfig {
			routers: routers
				.iter()
				.enumerate()
				.map(|(index, (node, operator))| GenesisRouter {
					node: *node,
					operator: operator.clone(),
					profile: profile(index, index + 1 == count),
				})
				.collect::<Vec<_>>(),
			router_bond: 100 * UNIT,
			vouch_bond: 10 * UNIT,
			admission: Admission::Open,
		},
		rewards: RewardsConfig {
			terms: Terms {
				window: 30,
				fee: Perbill::from_percent(10),
				burned_share: Perbill::from_percent(50),
				min_claim: UNIT / 4,
			},
			policy: Policy {
				theta: Perbill::from_percent(80),
				subsidy_pool: 1_000 * UNIT,
				// A tenth of the bond in about a year of forty-second eras.
				validator_rate: Perbill::from_parts(127),
				floor_price: PRICE / 10,
			},
		},
		bandwidth_attestations: BandwidthAttestationsConfig {
			rule: StandingRule { minimum: UNIT, term: 1_000 },
			routers: routers.iter().map(|(node, _)| *node).collect::<Vec<_>>(),
		},
		validator_election: ValidatorElectionConfig {
			rule: ElectionRule {
				floor: count.min(3) as u32,
				cap: 16,
				min_bond: 1_000 * UNIT,
				newcomers: 4,
				slash: Perbill::from_percent(5),
			},
			validators: routers
				.iter()
				.map(|(node, operator)| GenesisValidator {
					operator: operator.clone(),
					node: *node,
					bond: 10_000 * UNIT,
				})
				.collect::<Vec<_>>(),
		},
		session: SessionConfig {
			keys: OPERATORS
				.into_iter()
				.take(count)
				.map(|operator| {
					let account = operator.to_account_id();
					(account.clone(), account, session_keys(operator))
				})
				.collect::<Vec<_>>(),
		},
	})
}

/// A preset by name.
pub fn get_preset(id: &PresetId) -> Option<Vec<u8>> {
	let patch = match id.as_ref() {
		DEV_RUNTIME_PRESET => network(1),
		LOCAL_TESTNET_RUNTIME_PRESET => network(OPERATORS.len()),
		_ => return None,
	};
	Some(patch.to_string().into_bytes())
}

/// The presets' names.
pub fn preset_names() -> Vec<PresetId> {
	vec![PresetId::from(DEV_RUNTIME_PRESET), PresetId::from(LOCAL_TESTNET_RUNTIME_PRESET)]
}
