//! Two real nodes that start from one genesis and each finalise a chain of their own: one of them lies to the agent, and the other, as
//! its witness, gives it away. And the names that the chain told are there after a restart without it.

#![allow(clippy::unwrap_used)]

use std::{
	fs::File,
	io::{copy, Read, Write},
	net::{Shutdown, TcpListener, TcpStream},
	path::Path,
	process::{Child, Command, Stdio},
	sync::{Arc, Mutex},
	thread::{self, sleep},
	time::Duration,
};

use serde_json::Value;

use crate::laboratory::{
	chain::development,
	loopback::{within, Agent},
	node_program,
	ports::free_port,
	turns::{self, Need},
};

/// A node on a busy machine takes so long to start.
const NODE_START: Duration = Duration::from_secs(180);
/// A witness that was cut off is asked again after ten seconds.
const SOON: Duration = Duration::from_secs(60);
/// Heads come every two seconds.
const A_FEW_HEADS: Duration = Duration::from_secs(8);

struct Node {
	child: Child,
	rpc: u16,
}

impl Drop for Node {
	fn drop(&mut self) {
		let _ = self.child.kill();
		let _ = self.child.wait();
	}
}

/// A node that is alone: it authors and finalises by itself.
fn node(root: &Path, spec: &Path, number: usize) -> Node {
	let log = File::create(root.join(format!("node-{number}.log"))).unwrap();
	let (rpc, p2p) = (free_port(), free_port());
	let child = Command::new("setpriv")
		.args(["--pdeathsig", "KILL"])
		.arg(node_program())
		.args(["--alice", "--no-mdns", "--no-prometheus", "--chain"])
		.arg(spec)
		.arg("--base-path")
		.arg(root.join(format!("node-{number}")))
		.args(["--node-key", &format!("{number:064x}")])
		.args(["--listen-addr", &format!("/ip4/127.0.0.1/tcp/{p2p}"), "--rpc-port", &rpc.to_string()])
		.stdin(Stdio::null())
		.stdout(log.try_clone().unwrap())
		.stderr(log)
		.spawn()
		.unwrap();
	Node { child, rpc }
}

/// A door that leads to one node or the other, or to none; whoever is inside when it is turned is thrown out.
#[derive(Clone)]
struct Door {
	to: Arc<Mutex<Option<u16>>>,
	inside: Arc<Mutex<Vec<TcpStream>>>,
	port: u16,
}

/// Passes a request's head on, as one for the node itself: nodes refuse those for other names and ports.
fn announce(mut near: &TcpStream, mut far: &TcpStream, port: u16, to: u16) -> std::io::Result<()> {
	let (mut head, mut byte) = (Vec::new(), [0]);
	while !head.ends_with(b"\r\n\r\n") {
		near.read_exact(&mut byte)?;
		head.push(byte[0]);
	}
	let head = String::from_utf8(head).unwrap().replace(&format!("127.0.0.1:{port}"), &format!("127.0.0.1:{to}"));
	far.write_all(head.as_bytes())
}

impl Door {
	fn new(to: u16) -> Self {
		let listener = TcpListener::bind("127.0.0.1:0").unwrap();
		let port = listener.local_addr().unwrap().port();
		let door = Self { to: Arc::new(Mutex::new(Some(to))), inside: Arc::default(), port };
		let keeper = door.clone();
		thread::spawn(move || {
			for near in listener.incoming().flatten() {
				let Some(to) = *keeper.to.lock().unwrap() else { continue };
				let Ok(far) = TcpStream::connect(("127.0.0.1", to)) else { continue };
				if announce(&near, &far, port, to).is_err() {
					continue;
				}
				keeper.inside.lock().unwrap().push(near.try_clone().unwrap());
				for (mut from, mut to) in
					[(near.try_clone().unwrap(), far.try_clone().unwrap()), (far.try_clone().unwrap(), near)]
				{
					thread::spawn(move || {
						let _ = copy(&mut from, &mut to);
						let _ = to.shutdown(Shutdown::Both);
					});
				}
			}
		});
		door
	}

	fn turn(&self, to: Option<u16>) {
		*self.to.lock().unwrap() = to;
		for stream in self.inside.lock().unwrap().drain(..) {
			let _ = stream.shutdown(Shutdown::Both);
		}
	}
}

fn codes(agent: &Agent) -> Vec<String> {
	let status = agent.json("status");
	let trouble = status["trouble"].as_array().unwrap();
	trouble.iter().map(|entry| entry["code"].as_str().unwrap().to_owned()).collect()
}

fn height(agent: &Agent) -> u64 {
	agent.json("status")["chain"]["finalized_height"].as_u64().unwrap_or(0)
}

fn has(agent: &Agent, code: &str) -> bool {
	codes(agent).iter().any(|other| other == code)
}

#[test]
fn a_node_that_its_witness_contradicts_is_not_believed_until_they_agree_and_names_outlive_the_chain() {
	let _turn = turns::wait("witness", Need::Little);
	let home = tempfile::tempdir().unwrap();
	let spec = development(home.path());
	let (honest, liar) = (node(home.path(), &spec, 1), node(home.path(), &spec, 2));
	let door = Door::new(honest.rpc);
	let folder = home.path().join("agent");
	std::fs::create_dir(&folder).unwrap();
	let port = free_port();
	let text = |endpoint: u16, more: &str| {
		format!(
			"folder = {folder:?}\nlisten = \"127.0.0.1:{port}\"\n[chain]\nendpoint = \"ws://127.0.0.1:{endpoint}\"\n{more}"
		)
	};
	within(NODE_START, "both nodes", || {
		[&honest, &liar].iter().all(|node| TcpStream::connect(("127.0.0.1", node.rpc)).is_ok()).then_some(())
	});
	let witnesses = format!("witnesses = [\"ws://127.0.0.1:{}\"]\n", door.port);
	let agent = Agent::launch(folder.clone(), port, &text(honest.rpc, &witnesses));

	// A node that has just started may be too busy for its first answer.
	within(SOON, "heads that the witness confirms", || {
		assert!(!has(&agent, "doubt"), "{}", agent.log());
		(height(&agent) >= 2 && !has(&agent, "witness")).then_some(())
	});
	let names = agent.json("names")["names"].clone();
	assert!(!names.as_array().unwrap().is_empty(), "the development chain has routers");

	door.turn(Some(liar.rpc));
	within(SOON, "doubt", || has(&agent, "doubt").then_some(()));
	let stopped = height(&agent);
	sleep(A_FEW_HEADS);
	assert_eq!(height(&agent), stopped, "no head of a node in doubt is taken");
	let status = agent.text("status", &["--output", "text"]);
	assert!(status.contains("contradicts it") && status.contains("not believed"), "{status}");

	door.turn(Some(honest.rpc));
	within(SOON, "agreement", || (!has(&agent, "doubt") && height(&agent) > stopped).then_some(()));
	door.turn(None);
	within(SOON, "word of the silent witness", || has(&agent, "witness").then_some(()));
	let before = height(&agent);
	within(SOON, "heads without a witness", || (height(&agent) > before).then_some(()));
	let log = agent.log();
	for told in [
		"is not believed until its witnesses agree",
		"agree with the chain's node again",
		"a witness of the chain does not answer",
	] {
		assert!(log.contains(told), "{told}: {log}");
	}

	// Without a chain the names are those that were known.
	within(SOON, "the file of names", || folder.join("names").exists().then_some(()));
	drop((agent, honest, liar));
	let agent = Agent::launch(folder.clone(), port, &text(9, ""));
	assert_eq!(agent.json("names")["names"], names);
	let first: &Value = &names[0];
	let name = first["name"].as_str().unwrap();
	assert_eq!(agent.text("resolve", &[name]).trim(), first["address"].as_str().unwrap());
}
