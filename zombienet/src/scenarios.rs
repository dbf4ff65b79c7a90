//! What happens to the networks.

mod equivocation;
mod eras;
mod spend;
mod stall;
mod upgrade;
mod warp;

use anyhow::Result;

use crate::{network::Network, Options, Seen};

pub struct Scenario {
	pub name: &'static str,
	pub what: &'static str,
}

pub const ALL: &[Scenario] = &[
	Scenario { name: "eras", what: "blocks and finality while the set of validators changes over eras" },
	Scenario { name: "spend", what: "a treasury spend, from its proposal to the payout's arrival" },
	Scenario { name: "equivocation", what: "a second node with a validator's keys, and what it costs" },
	Scenario { name: "paused", what: "more than a third paused: finality stalls, and goes on when they are back" },
	Scenario { name: "lost", what: "more than a third lost for good, and the way out by two referenda" },
	Scenario { name: "warp", what: "a new node that warp-syncs from nothing" },
	Scenario { name: "upgrade", what: "a forkless upgrade with a storage migration" },
];

pub async fn run(name: &str, options: &Options, seen: &mut Seen) -> Result<()> {
	let mut network = Network::start(if name == "lost" { "recovery" } else { "four" }).await?;
	let told = match name {
		"eras" => eras::tell(&mut network, seen).await,
		"spend" => spend::tell(&mut network, seen).await,
		"equivocation" => equivocation::tell(&mut network, seen).await,
		"paused" => stall::paused(&mut network, seen).await,
		"lost" => stall::lost(&mut network, seen).await,
		"warp" => warp::tell(&mut network, seen).await,
		"upgrade" => upgrade::tell(&mut network, options.next.as_deref(), seen).await,
		_ => unreachable!("the names are checked before"),
	};
	if told.is_err() {
		eprintln!("{}", network.log_tails());
	}
	network.stop().await?;
	told
}
