//! Checks a genesis before it is built. Building panics on what cannot be, and a panic inside the WASM says little to
//! somebody who edits a chain spec; this says which key is wrong, what is allowed and what to do.

use alloc::{collections::BTreeMap, format, string::String, vec::Vec};
use sp_core::hexdisplay::HexDisplay;
use towpath_primitives::NodeId;

use crate::{governance::bounds, AccountId, Balance, RuntimeGenesisConfig, Treasury, EXISTENTIAL_DEPOSIT};

/// Parses and checks a genesis in JSON.
pub fn check(json: &[u8]) -> Result<(), String> {
	let config: RuntimeGenesisConfig =
		serde_json::from_slice(json).map_err(|error| format!("the genesis is not in the runtime's form: {error}"))?;
	check_rules(&config)?;
	check_routers(&config)?;
	check_validators(&config)?;
	check_balances(&config)
}

fn require(holds: bool, message: &str) -> Result<(), String> {
	if holds {
		Ok(())
	} else {
		Err(message.into())
	}
}

fn check_rules(config: &RuntimeGenesisConfig) -> Result<(), String> {
	let settings = &config.periods.settings;
	require(
		settings.are_sound(),
		&format!(
			"periods.settings: slotMs must be even and at least 2, epochSlots, eraSessions, spendBlocks and \
			 governanceHour at least 1; \
			 found {settings:?}"
		),
	)?;
	let rewards = &config.rewards;
	require(rewards.terms.window > 0, "rewards.terms.window: must be at least 1 block; production wants seven days")?;
	require(rewards.policy.is_sound(), "rewards.policy.theta: at most 800000000 (0.8), or made-up traffic would pay")?;
	if let Some(reason) = bounds::broken(settings, &rewards.terms, &rewards.policy) {
		return Err(format!("rewards.{reason}"));
	}
	let rule = &config.validator_election.rule;
	require(
		1 <= rule.floor && rule.floor <= rule.cap && rule.newcomers >= 1,
		&format!(
			"validatorElection.rule: floor at least 1 and at most cap, newcomers at least 1; found {}, {} and {}",
			rule.floor, rule.cap, rule.newcomers
		),
	)
}

fn check_routers(config: &RuntimeGenesisConfig) -> Result<(), String> {
	let routers = &config.node_identity.routers;
	let (mut nodes, mut names) = (Vec::new(), Vec::new());
	for (index, router) in routers.iter().enumerate() {
		let at = format!("nodeIdentity.routers[{index}]");
		router.profile.check().map_err(|error| format!("{at}.profile: {error:?} is out of bounds"))?;
		require(!nodes.contains(&router.node), &format!("{at}.node: {} is there twice", router.node))?;
		require(!names.contains(&&router.profile.name), &format!("{at}.profile.name: another router has this name"))?;
		nodes.push(router.node);
		names.push(&router.profile.name);
	}
	Ok(())
}

fn check_validators(config: &RuntimeGenesisConfig) -> Result<(), String> {
	let election = &config.validator_election;
	require(!election.validators.is_empty(), "validatorElection.validators: a chain needs at least one")?;
	let operators: BTreeMap<NodeId, &AccountId> =
		config.node_identity.routers.iter().map(|router| (router.node, &router.operator)).collect();
	let mut seen: Vec<&AccountId> = Vec::new();
	for (index, validator) in election.validators.iter().enumerate() {
		let at = format!("validatorElection.validators[{index}]");
		require(
			operators.get(&validator.node) == Some(&&validator.operator),
			&format!("{at}: {} is not a router of this operator in nodeIdentity.routers", validator.node),
		)?;
		require(
			validator.bond >= election.rule.min_bond,
			&format!("{at}.bond: {} is below rule.minBond, {}", validator.bond, election.rule.min_bond),
		)?;
		require(!seen.contains(&&validator.operator), &format!("{at}.operator: named twice"))?;
		seen.push(&validator.operator);
		let has_keys = config.session.keys.iter().any(|(account, ..)| *account == validator.operator);
		require(has_keys, &format!("{at}.operator: has no keys in session.keys"))?;
	}
	Ok(())
}

/// Everybody can pay the bonds that are held from the first block on, and keeps the existential deposit free.
fn check_balances(config: &RuntimeGenesisConfig) -> Result<(), String> {
	let balances: BTreeMap<&AccountId, Balance> =
		config.balances.balances.iter().map(|(account, amount)| (account, *amount)).collect();
	let mut needed = BTreeMap::<&AccountId, Balance>::new();
	let treasury = Treasury::account_id();
	needed.insert(&treasury, 0);
	let bonds = config.node_identity.routers.iter().map(|router| (&router.operator, config.node_identity.router_bond));
	let validator_bonds = config.validator_election.validators.iter().map(|v| (&v.operator, v.bond));
	for (account, bond) in bonds.chain(validator_bonds) {
		let sum = needed.entry(account).or_default();
		*sum = sum.saturating_add(bond);
	}
	for (account, bonds) in needed {
		let least = bonds.saturating_add(EXISTENTIAL_DEPOSIT);
		let has = balances.get(account).copied().unwrap_or_default();
		let account = HexDisplay::from(AsRef::<[u8; 32]>::as_ref(account));
		require(has >= least, &format!("balances.balances: 0x{account} has {has}, and needs at least {least}"))?;
	}
	Ok(())
}
