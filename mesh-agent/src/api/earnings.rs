//! What a router has coming and has got, over all channels.

use serde_json::{json, Value};
use towpath_primitives::Amount;

use super::desk::Desk;

/// All accounts together.
pub fn view(desk: &Desk) -> Value {
	let agent = desk.shared.agent.borrow();
	let (mut owed, mut bytes, mut claimed, mut unclaimed, mut channels): (Amount, u64, Amount, Amount, u64) =
		Default::default();
	for account in agent.accounts(desk.shared.now()) {
		let (of_it, carried) = account.receipt.unwrap_or_default();
		owed = owed.saturating_add(of_it);
		bytes = bytes.saturating_add(carried);
		claimed = claimed.saturating_add(account.claimed.unwrap_or(0));
		unclaimed = unclaimed.saturating_add(account.unclaimed);
		channels += u64::from(account.receipt.is_some());
	}
	json!({
		"channels": channels,
		"bytes": bytes,
		"owed": owed.to_string(),
		"claimed": claimed.to_string(),
		"unclaimed": unclaimed.to_string(),
		"claims_submitted": desk.metrics.claims.get(),
	})
}
