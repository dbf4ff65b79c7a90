//! Asks the agent that runs in a folder, through its socket.

use std::{io, path::Path, time::Duration};

use serde_json::{value::RawValue, Value};
use subxt::ext::jsonrpsee::{
	core::{
		client::{ClientT, Error, Subscription, SubscriptionClientT},
		traits::ToRpcParams,
	},
	ws_client::{WsClient, WsClientBuilder},
};
use tokio::net::UnixStream;

use super::{events, API, MAX_REQUEST, MAX_RESPONSE, SOCKET};

/// An answer comes within this, or the agent hangs.
const PATIENCE: Duration = Duration::from_secs(10);
/// The URL in the handshake. The socket leads to one agent, whatever it is called.
const URL: &str = "ws://localhost/";

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
	/// Nobody listens.
	#[error("no agent runs in {0}: start it with \"mesh-agent run --config FILE\", or name its folder (the key folder in FILE)")]
	NotRunning(String),
	/// There is no such folder, or it is no agent's.
	#[error("{0} is not an agent's folder: name the one that the key folder in its configuration has")]
	WrongFolder(String),
	/// Not the owner's.
	#[error("{0}/agent.sock is for its owner alone: run this as the user that the agent runs as, or with sudo")]
	Denied(String),
	/// Another way of asking.
	#[error("the agent in {folder} is {running}, and this program is version {own}: start the agent again with this program")]
	WrongVersion {
		/// Its folder.
		folder: String,
		/// What it is.
		running: String,
		/// Ours.
		own: &'static str,
	},
	/// It answers, and says no.
	#[error("{0}")]
	Refused(String),
	/// It does not answer any more.
	#[error("the agent has ended, or does not answer: {0}")]
	Lost(String),
}

/// Parameters as they are.
struct Parameters(Value);

impl ToRpcParams for Parameters {
	fn to_rpc_params(self) -> Result<Option<Box<RawValue>>, serde_json::Error> {
		serde_json::value::to_raw_value(&self.0).map(Some)
	}
}

/// A connection to an agent whose version is known to fit.
pub struct Client(WsClient);

fn failed(error: Error) -> Trouble {
	match error {
		Error::Call(object) => Trouble::Refused(object.message().to_owned()),
		other => Trouble::Lost(other.to_string()),
	}
}

impl Client {
	/// Connects to the agent in this folder.
	pub async fn connect(folder: &Path) -> Result<Self, Trouble> {
		let shown = folder.display().to_string();
		let stream = UnixStream::connect(folder.join(SOCKET)).await.map_err(|error| match error.kind() {
			io::ErrorKind::PermissionDenied => Trouble::Denied(shown.clone()),
			_ if !folder.join("node.key").exists() => Trouble::WrongFolder(shown.clone()),
			_ => Trouble::NotRunning(shown.clone()),
		})?;
		let wrong =
			|running: String| Trouble::WrongVersion { folder: shown.clone(), running, own: env!("CARGO_PKG_VERSION") };
		let connected = WsClientBuilder::default()
			.request_timeout(PATIENCE)
			.connection_timeout(PATIENCE)
			.max_request_size(MAX_REQUEST)
			.max_response_size(MAX_RESPONSE)
			.max_buffer_capacity_per_subscription(events::KEPT)
			.build_with_stream(URL, stream);
		let connected = tokio::time::timeout(PATIENCE, connected).await;
		let connected = connected.map_err(|_| Trouble::Lost("it is busy or stopped".into()))?;
		// Agents before this API took lines of text.
		let client = Self(connected.map_err(|_| wrong("of a version that cannot be asked like this".into()))?);
		let version = client.call("version", Value::Array(Vec::new())).await?;
		if version["api"] != API {
			return Err(wrong(format!("version {}", version["version"].as_str().unwrap_or("unknown"))));
		}
		Ok(client)
	}

	/// Calls a method.
	pub async fn call(&self, method: &str, parameters: Value) -> Result<Value, Trouble> {
		self.0.request(method, Parameters(parameters)).await.map_err(failed)
	}

	/// Listens to what happens.
	pub async fn events(&self) -> Result<Subscription<Value>, Trouble> {
		let nothing = Parameters(Value::Array(Vec::new()));
		self.0.subscribe(events::SUBSCRIBE, nothing, events::END).await.map_err(failed)
	}
}

/// Asks one thing that needs no parameters.
pub async fn ask(folder: &Path, method: &str) -> Result<Value, Trouble> {
	Client::connect(folder).await?.call(method, Value::Array(Vec::new())).await
}
