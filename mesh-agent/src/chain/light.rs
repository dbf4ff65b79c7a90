//! The chain without a node of one's own and without believing one: a light client (smoldot) that checks finality itself.
//!
//! It begins at the checkpoint of a chain spec, follows the validators' votes from there, and asks the network's nodes for
//! state with proofs. What has to be believed is the file, not whoever answers.

use std::time::Duration;

use anyhow::{bail, Context, Result};
use serde::Deserialize;
use subxt::{
	lightclient::LightClient,
	rpcs::{client::RpcClient, rpc_params},
};
use tokio::time::{sleep, timeout, Instant};

/// In `chain.endpoint` and `--endpoint`, before the path of a chain spec.
pub const SCHEME: &str = "light:";
/// The first proof of finality is waited for as long.
const FIRST_PROOF: Duration = Duration::from_secs(40);
/// How often the light client is asked whether it has peers.
const LOOK: Duration = Duration::from_secs(2);
/// It is given up when it has had no peers for so long, and begins anew.
const WITHOUT_PEERS: Duration = Duration::from_secs(30);

/// What the light client says of itself.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Health {
	peers: u64,
	is_syncing: bool,
}

/// Starts a light client of the chain in this file, and waits until it has caught up.
pub async fn start(path: &str) -> Result<RpcClient> {
	let spec = read(path)?;
	let (_, rpc) = LightClient::relay_chain(spec).with_context(|| path.to_owned())?;
	let rpc = RpcClient::new(rpc);
	let caught_up = timeout(FIRST_PROOF, async {
		loop {
			let health = health(&rpc).await?;
			if health.peers > 0 && !health.is_syncing {
				return anyhow::Ok(());
			}
			sleep(LOOK).await;
		}
	});
	match caught_up.await {
		Ok(done) => done.map(|()| rpc).with_context(|| format!("the light client of {path} broke down")),
		Err(_) => bail!(
			"the light client of {path} reached nobody who could prove what is final within {FIRST_PROOF:?}: \
			 are the nodes in its bootNodes reachable, and is it of this network?"
		),
	}
}

/// Whether a light client would begin with this chain spec.
pub fn accepts(spec: &str) -> Result<()> {
	Ok(LightClient::relay_chain(spec).map(drop)?)
}

/// Ends when the light client has had nobody to ask for a while.
pub async fn lost(rpc: &RpcClient) {
	let mut seen = Instant::now();
	while seen.elapsed() < WITHOUT_PEERS {
		sleep(LOOK).await;
		match health(rpc).await {
			Ok(health) if health.peers > 0 => seen = Instant::now(),
			Ok(_) => {}
			Err(_) => return,
		}
	}
}

/// Whether it is no server whose word would be taken.
pub fn is_light(endpoint: &str) -> bool {
	endpoint.starts_with(SCHEME)
}

/// What can be known of an endpoint before it is used.
pub fn check_endpoint(endpoint: &str) -> Result<()> {
	match endpoint.strip_prefix(SCHEME) {
		Some(path) => read(path).map(drop),
		None => Ok(()),
	}
}

fn read(path: &str) -> Result<String> {
	let spec = std::fs::read_to_string(path).with_context(|| format!("cannot read the chain spec {path}"))?;
	check(&spec).with_context(|| format!("{path} is no chain spec for a light client"))?;
	Ok(spec)
}

async fn health(rpc: &RpcClient) -> Result<Health> {
	Ok(rpc.request("system_health", rpc_params![]).await?)
}

/// Whether somebody could be asked, in words that say what to do; the light client's own are about JSON.
fn check(spec: &str) -> Result<()> {
	#[derive(Deserialize)]
	#[serde(rename_all = "camelCase")]
	struct Spec {
		#[serde(default)]
		boot_nodes: Vec<String>,
		light_sync_state: Option<serde_json::Value>,
	}
	let spec: Spec = serde_json::from_str(spec)?;
	if spec.boot_nodes.is_empty() {
		bail!("it has no bootNodes, so there is nobody to ask; `mesh-agent checkpoint` writes one that has");
	}
	if spec.light_sync_state.is_none() {
		tracing::warn!(
			"the chain spec has no checkpoint, so all of the chain's finality is proven from its genesis on"
		);
	}
	Ok(())
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_spec_without_anybody_to_ask_is_refused_with_what_to_do() {
		let error = check(r#"{"bootNodes": [], "lightSyncState": {}}"#).unwrap_err();
		assert!(error.to_string().contains("mesh-agent checkpoint"), "{error}");
		assert!(check("{}").is_err());
		assert!(check("no JSON").is_err());
		check(r#"{"bootNodes": ["/ip4/127.0.0.1/tcp/30333/p2p/12D3KooWA"], "lightSyncState": {}}"#).unwrap();
	}
}
