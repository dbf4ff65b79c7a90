//! What stays possible whatever is paused.
//!
//! Routers have carried on the promise that their claims are taken, and payers have paid in on the promise that they get the
//! rest back; neither may depend on a vote. Governance itself must stay possible, or nothing could be taken back. And what
//! blocks cannot do without, inherents and reports against validators, is nobody's to switch off.

use frame_support::traits::{Contains, GetCallMetadata};
use pallet_tx_pause::RuntimeCallNameOf;

use crate::{Runtime, RuntimeCall};

/// Whether the call stays possible. Pallets are named as in the runtime.
fn always(pallet: &str, call: &str) -> bool {
	match pallet {
		"Timestamp" | "Babe" | "Grandpa" | "Origins" => true,
		"BandwidthAttestations" => matches!(call, "claim" | "claim_many"),
		"Rewards" => matches!(call, "payout" | "close" | "finish" | "top_up"),
		"Referenda" | "ConvictionVoting" | "Preimage" | "Scheduler" | "SafeMode" | "TxPause" => true,
		// A slash is due on its day, and only this stops a wrong one.
		"ValidatorElection" => call == "cancel_slash",
		// Whoever brings the code that a referendum authorised.
		"System" => call == "apply_authorized_upgrade",
		_ => false,
	}
}

/// What safe mode lets through.
pub struct InSafeMode;

impl Contains<RuntimeCall> for InSafeMode {
	fn contains(call: &RuntimeCall) -> bool {
		let name = call.get_call_metadata();
		// What these wrap goes through the filters by itself.
		let wrapper = matches!(name.pallet_name, "Utility" | "Multisig" | "Proxy");
		wrapper || always(name.pallet_name, name.function_name)
	}
}

/// What cannot be paused.
pub struct NeverPaused;

impl Contains<RuntimeCallNameOf<Runtime>> for NeverPaused {
	fn contains((pallet, call): &RuntimeCallNameOf<Runtime>) -> bool {
		match (core::str::from_utf8(pallet), core::str::from_utf8(call)) {
			(Ok(pallet), Ok(call)) => always(pallet, call),
			_ => false,
		}
	}
}

/// Only rewards and slashing destroy money, or the ledger would not follow from their events. So nobody burns his own.
pub struct NoPrivateBurning;

impl Contains<RuntimeCall> for NoPrivateBurning {
	fn contains(call: &RuntimeCall) -> bool {
		!matches!(call, RuntimeCall::Balances(pallet_balances::Call::burn { .. }))
	}
}

/// The session pallet drops a validator whose keys are gone from the next set but one, below any floor. So keys go through the
/// election, which knows who needs them; the call that knows nothing of it has no hook where it could ask.
pub struct KeysByElection;

impl Contains<RuntimeCall> for KeysByElection {
	fn contains(call: &RuntimeCall) -> bool {
		!matches!(call, RuntimeCall::Session(pallet_session::Call::purge_keys {}))
	}
}
