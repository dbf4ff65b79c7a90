//! A chain spec for light clients, from a node that its operator trusts: the network, whom to ask, and a finalised block to
//! begin at.

use anyhow::{bail, ensure, Context, Result};
use serde_json::{json, Value};
use subxt::rpcs::rpc_params;

use super::{light, Client};

/// `mesh-agent checkpoint`
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  mesh-agent checkpoint > towpath-light.json
      at the newest finalised block of the node on this machine, which is then the one to ask
  mesh-agent checkpoint --bootnode /ip6/fd…/tcp/30333/p2p/12D3… --bootnode /dns/a.example/tcp/30333/p2p/12D3… > light.json
      for an agent elsewhere: several nodes that it can reach
  chain.endpoint = \"light:/etc/towpath/light.json\"
      in the configuration of the agent that uses it")]
pub struct Options {
	/// A node that is trusted: the file is believed by whoever uses it.
	#[arg(long, default_value = "ws://127.0.0.1:9944")]
	endpoint: String,
	/// Address of a node to ask later, with its id; may be repeated. Without one, those of the node's chain spec, else its own.
	#[arg(long = "bootnode")]
	boot_nodes: Vec<String>,
}

/// The chain spec, as JSON.
pub async fn make(options: &Options) -> Result<Value> {
	for address in &options.boot_nodes {
		ensure!(
			address.starts_with('/') && address.contains("/p2p/"),
			"--bootnode {address}: an address like /ip6/fd…/tcp/30333/p2p/12D3…"
		);
	}
	let client = Client::connect(&options.endpoint).await?;
	let (number, _) = client.finalised().await?;
	ensure!(number > 0, "nothing after genesis is final on that node yet; try again later");
	let genesis = client.header(client.genesis()).await?;
	let mut spec: Value = client
		.rpc()
		.request("sync_state_genSyncSpec", rpc_params![true])
		.await
		.context("the node cannot make a checkpoint: update it, or ask one that has the whole chain")?;
	// A light client needs the hash of the first block, not the state in it, which has the runtime's code.
	spec["genesis"] = json!({ "stateRootHash": format!("{:?}", genesis.state_root) });
	// Deprecated, and a warning at each start.
	if let Some(fields) = spec.as_object_mut() {
		fields.remove("protocolId");
	}
	if !options.boot_nodes.is_empty() {
		spec["bootNodes"] = json!(options.boot_nodes);
	} else if spec["bootNodes"].as_array().is_none_or(Vec::is_empty) {
		let own: Vec<String> = client.rpc().request("system_localListenAddresses", rpc_params![]).await?;
		if own.is_empty() {
			bail!("the node says no address of its own; name some with --bootnode");
		}
		spec["bootNodes"] = json!(own);
	}
	light::accepts(&spec.to_string()).context(
		"no light client could begin there: in the chain's first two sessions there is no checkpoint yet; try again later",
	)?;
	Ok(spec)
}
