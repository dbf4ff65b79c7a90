//! The agent's control socket: a Unix socket in its folder, for its owner alone. A line with a command goes in, a line of
//! JSON comes out.

use std::{net::SocketAddr, os::unix::fs::PermissionsExt, path::Path, rc::Rc};

use anyhow::{bail, Context, Result};
use serde_json::{json, Value};
use tokio::{
	io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
	net::{UnixListener, UnixStream},
	sync::mpsc,
};

use crate::shell::Shared;

const NAME: &str = "agent.sock";

/// What may be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
	/// A snapshot.
	Status,
	/// Last receipts for everything, and no more grants.
	Finish,
	/// Claim everything that is unclaimed.
	Claim,
}

impl Request {
	fn parse(line: &str) -> Result<Self> {
		Ok(match line.trim() {
			"status" => Self::Status,
			"finish" => Self::Finish,
			"claim" => Self::Claim,
			other => bail!("unknown command {other:?}: status, finish or claim"),
		})
	}

	fn word(self) -> &'static str {
		match self {
			Self::Status => "status",
			Self::Finish => "finish",
			Self::Claim => "claim",
		}
	}
}

/// Listens in the agent's folder.
pub fn listen(folder: &Path) -> Result<UnixListener> {
	let path = folder.join(NAME);
	// The spool's lock says that no other agent uses this folder: what lies here is left over.
	let _ = std::fs::remove_file(&path);
	let listener = UnixListener::bind(&path).with_context(|| format!("cannot listen on {}", path.display()))?;
	std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600))?;
	Ok(listener)
}

/// Serves commands; what changes something goes to the event loop.
pub async fn serve(listener: UnixListener, shared: Rc<Shared>, requests: mpsc::UnboundedSender<Request>) {
	while let Ok((stream, _)) = listener.accept().await {
		let (shared, requests) = (shared.clone(), requests.clone());
		tokio::task::spawn_local(async move {
			let (reader, mut writer) = stream.into_split();
			let mut lines = BufReader::new(reader).lines();
			while let Ok(Some(line)) = lines.next_line().await {
				let answer = match Request::parse(&line) {
					Ok(request) => {
						let _ = requests.send(request);
						status(&shared)
					}
					Err(error) => json!({ "error": error.to_string() }),
				};
				if writer.write_all(format!("{answer}\n").as_bytes()).await.is_err() {
					return;
				}
			}
		});
	}
}

/// What an agent tells of itself.
pub fn status(shared: &Shared) -> Value {
	let agent = shared.agent.borrow();
	let status = agent.status();
	let drops: serde_json::Map<_, _> =
		status.drops.iter().map(|(reason, count)| (reason.name().to_owned(), json!(count))).collect();
	json!({
		"node_id": agent.node().to_string(),
		"address": agent.address().to_string(),
		"links": status.links.iter().map(|link| json!({
			"peer": link.peer.to_string(),
			"endpoint": link.endpoint.to_string(),
			"origin": format!("{:?}", link.origin).to_lowercase(),
			"interface": interface(shared, &link.endpoint),
			"trusted": link.trusted,
			"rtt_ms": link.rtt.map(|rtt| rtt.as_micros() as f64 / 1000.0),
			"loss_percent": f64::from(link.loss) / 100.0,
			"goodput_bytes": link.goodput,
			"pace_bytes": link.pace,
			"waiting_bytes": link.waiting,
		})).collect::<Vec<_>>(),
		"routes": status.routes.len(),
		"circuits": status.circuits.iter().map(|circuit| json!({
			"destination": circuit.destination.to_string(),
			"phase": format!("{:?}", circuit.phase).to_lowercase(),
			"path": circuit.path.iter().map(ToString::to_string).collect::<Vec<_>>(),
			"verified_up": circuit.verified_up,
			"verified_down": circuit.verified_down,
			"grant": circuit.grant,
			"rtt_ms": circuit.rtt.as_micros() as f64 / 1000.0,
		})).collect::<Vec<_>>(),
		"carried": status.carried,
		"accounts": status.accounts.iter().map(|(channel, owed, unclaimed)| json!({
			"channel": channel,
			"owed": owed.to_string(),
			"unclaimed": unclaimed.to_string(),
		})).collect::<Vec<_>>(),
		"purse": status.purse.map(|(channel, owed, left)| json!({
			"channel": channel,
			"owed": owed.to_string(),
			"left": left.to_string(),
			"settled": agent.is_settled(),
		})),
		"drops": drops,
		"delivered_bytes": status.delivered,
	})
}

/// The interface of an address that means something on one link only.
fn interface(shared: &Shared, address: &SocketAddr) -> Option<String> {
	let SocketAddr::V6(v6) = address else { return None };
	shared.interfaces.borrow().name(v6.scope_id()).map(str::to_owned)
}

/// Asks the agent that runs in a folder.
pub async fn ask(folder: &Path, request: Request) -> Result<Value> {
	let path = folder.join(NAME);
	let stream = UnixStream::connect(&path)
		.await
		.with_context(|| format!("no agent answers at {}: is it running, and is this its folder?", path.display()))?;
	let (reader, mut writer) = stream.into_split();
	writer.write_all(format!("{}\n", request.word()).as_bytes()).await?;
	let mut line = String::new();
	BufReader::new(reader).read_line(&mut line).await?;
	serde_json::from_str(&line).context("the agent's answer is cut short")
}
