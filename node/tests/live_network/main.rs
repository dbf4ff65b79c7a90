//! Four validator processes, real transactions, an exact ledger.
//!
//! One network serves every check, because starting one takes longer than most of them: signed receipts are claimed and
//! paid, bad ones refused, an era's rewards drawn, a treasury spend voted and paid out, the ledger read and read again by an
//! independent tool, a validator killed and started again, a cheating payer convicted, both channels finished, the set of
//! validators changed, and a validator who signs twice found out.

mod chain;
mod equivocation;
mod ledger;
mod network;
mod story;
mod votes;

use anyhow::Result;

#[tokio::test(flavor = "multi_thread")]
async fn four_validators_settle_receipts_and_keep_an_exact_ledger() -> Result<()> {
	let mut network = network::Network::start().await?;
	let told = story::tell(&mut network).await;
	if told.is_err() {
		eprintln!("--- the first validator's log ends with ---\n{}", network.log_tail(0));
	}
	told
}
