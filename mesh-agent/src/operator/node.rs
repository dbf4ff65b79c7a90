//! The operator's own node: whether it is ready, and the session keys in it.

use anyhow::{ensure, Context, Result};
use codec::{Encode, Output};
use serde::Deserialize;
use subxt::{ext::scale_encode::EncodeAsFields, rpcs::rpc_params, utils::Static};

use crate::chain::Client;

/// Why a node may refuse a method, and what to do.
const UNSAFE: &str =
	"the node does not let this caller handle its session keys; run this on the machine of the node, with \
	its RPC on loopback and not --rpc-methods safe";

/// What a node says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnNode {
	/// It runs with `--validator`.
	pub authority: bool,
	/// It is catching up.
	pub syncing: bool,
	/// Nodes that it is connected to.
	pub peers: u64,
}

/// Asks a node how it is.
pub async fn look(client: &Client) -> Result<OwnNode> {
	#[derive(Deserialize)]
	#[serde(rename_all = "camelCase")]
	struct Health {
		peers: u64,
		is_syncing: bool,
	}
	let health: Health = client.rpc().request("system_health", rpc_params![]).await?;
	let roles: Vec<String> = client.rpc().request("system_nodeRoles", rpc_params![]).await?;
	let authority = roles.iter().any(|role| role == "Authority");
	Ok(OwnNode { authority, syncing: health.is_syncing, peers: health.peers })
}

/// Whether the node lets this caller handle its keys at all.
pub async fn may_handle_keys(client: &Client) -> Result<()> {
	// A harmless question of the same class as rotating.
	let asked = client.rpc().request::<bool>("author_hasKey", rpc_params![to_hex(&[0; 32]), "babe"]).await;
	asked.map(drop).context(UNSAFE)
}

/// Whether the node has these session keys.
pub async fn has_keys(client: &Client, keys: &[u8]) -> Result<bool> {
	client.rpc().request("author_hasSessionKeys", rpc_params![to_hex(keys)]).await.context(UNSAFE)
}

/// New session keys, whose secrets stay in the node, and the proof that it has them, for one account.
pub struct Rotated {
	/// The public halves, as the chain stores them.
	pub keys: Vec<u8>,
	/// Signed by each of them.
	pub proof: Vec<u8>,
}

/// Has the node make new session keys. The chain takes them from this account alone.
pub async fn rotate(client: &Client, owner: &[u8; 32]) -> Result<Rotated> {
	#[derive(Deserialize)]
	struct Generated {
		keys: String,
		proof: Option<String>,
	}
	let method = "author_rotateKeysWithOwner";
	let generated: Generated = client.rpc().request(method, rpc_params![to_hex(owner)]).await.context(UNSAFE)?;
	let proof = generated.proof.context("the node gives no proof for its session keys: update the node")?;
	let rotated = Rotated { keys: from_hex(&generated.keys)?, proof: from_hex(&proof)? };
	// Before money is spent on a transaction that names them.
	ensure!(
		has_keys(client, &rotated.keys).await?,
		"the node made session keys and does not have them: look at its log"
	);
	Ok(rotated)
}

impl Rotated {
	/// The arguments of `session.set_keys`.
	pub fn arguments(self) -> impl EncodeAsFields {
		(Static(Raw(self.keys)), self.proof)
	}
}

/// Bytes that are encoded already.
struct Raw(Vec<u8>);

impl Encode for Raw {
	fn encode_to<T: Output + ?Sized>(&self, to: &mut T) {
		to.write(&self.0);
	}
}

fn to_hex(bytes: &[u8]) -> String {
	format!("0x{}", hex::encode(bytes))
}

fn from_hex(text: &str) -> Result<Vec<u8>> {
	hex::decode(text.trim_start_matches("0x")).with_context(|| format!("the node answers {text:?}, which is no bytes"))
}
