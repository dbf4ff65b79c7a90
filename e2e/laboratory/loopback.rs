//! Agents on loopback.

#![allow(clippy::unwrap_used)]

use std::{
	fs::File,
	io::{Read, Write},
	net::{TcpListener, TcpStream},
	path::PathBuf,
	process::{Child, Command, Output},
	thread::{self, sleep},
	time::{Duration, Instant},
};

use codec::Encode;
use serde_json::Value;
use tempfile::TempDir;
use towpath_primitives::NodeId;

use super::{ports::free_port, PROGRAM};

/// Whatever is waited for here comes within this.
const SOON: Duration = Duration::from_secs(20);
pub const GENESIS: [u8; 32] = [0x11; 32];
pub const HELLO: &str = "hello from the garden";

pub struct Agent {
	pub folder: PathBuf,
	pub port: u16,
	child: Child,
}

impl Drop for Agent {
	fn drop(&mut self) {
		let _ = self.child.kill();
		let _ = self.child.wait();
	}
}

pub fn until<T>(what: &str, get: impl FnMut() -> Option<T>) -> T {
	within(SOON, what, get)
}

pub fn within<T>(span: Duration, what: &str, mut get: impl FnMut() -> Option<T>) -> T {
	let end = Instant::now() + span;
	loop {
		if let Some(got) = get() {
			return got;
		}
		assert!(Instant::now() < end, "no sign of {what} within {span:?}");
		sleep(Duration::from_millis(50));
	}
}

impl Agent {
	/// Starts an agent that no node answers, with what else its configuration says, and a file of names.
	pub fn start(home: &TempDir, name: &str, peers: &[u16], more: &str, names: Option<&[u8]>) -> Self {
		let folder = home.path().join(name);
		std::fs::create_dir(&folder).unwrap();
		if let Some(names) = names {
			std::fs::write(folder.join("names"), names).unwrap();
		}
		let port = free_port();
		let peers: Vec<_> = peers.iter().map(|port| format!("\"127.0.0.1:{port}\"")).collect();
		let text = format!(
			"folder = {folder:?}\nlisten = \"127.0.0.1:{port}\"\npeers = [{}]\n[discovery]\nenabled = false\n[chain]\nendpoint = \"ws://127.0.0.1:9\"\ngenesis = \"0x{}\"\n{more}",
			peers.join(", "),
			hex::encode(GENESIS),
		);
		Self::launch(folder, port, &text)
	}

	/// Starts an agent with this configuration, whose log goes on where an earlier one's ended.
	pub fn launch(folder: PathBuf, port: u16, text: &str) -> Self {
		let config = folder.join("agent.toml");
		std::fs::write(&config, text).unwrap();
		let log = File::options().create(true).append(true).open(folder.join("log")).unwrap();
		let child = Command::new(PROGRAM).args(["run", "--config"]).arg(&config).stderr(log).spawn().unwrap();
		let agent = Self { folder, port, child };
		until("a running agent", || agent.ask("status", &[]).status.success().then_some(()));
		agent
	}

	pub fn ask(&self, verb: &str, more: &[&str]) -> Output {
		Command::new(PROGRAM).arg(verb).arg("--folder").arg(&self.folder).args(more).output().unwrap()
	}

	pub fn text(&self, verb: &str, more: &[&str]) -> String {
		let output = self.ask(verb, more);
		assert!(output.status.success(), "{verb}: {}", String::from_utf8_lossy(&output.stderr));
		String::from_utf8(output.stdout).unwrap()
	}

	pub fn json(&self, verb: &str) -> Value {
		self.json_of(verb, &[])
	}

	pub fn json_of(&self, verb: &str, more: &[&str]) -> Value {
		serde_json::from_str(&self.text(verb, &[more, &["--output", "json"]].concat())).unwrap()
	}

	pub fn node(&self) -> NodeId {
		self.json("status")["node_id"].as_str().unwrap().parse().unwrap()
	}

	pub fn log(&self) -> String {
		std::fs::read_to_string(self.folder.join("log")).unwrap()
	}
}

/// A file of names as `src/names/disk.rs` describes it, written by somebody else.
pub fn names_file(entries: &[(&str, NodeId)]) -> Vec<u8> {
	let entries: Vec<_> = entries.iter().map(|(name, node)| (name.as_bytes(), *node)).collect();
	let body = (GENESIS, 7u64, entries).encode();
	[b"towpath/names/v1", &crc32fast::hash(&body).to_le_bytes()[..], &body].concat()
}

/// The name that a key is.
pub fn name_of_key(node: &NodeId) -> String {
	format!("{}.mesh", data_encoding::BASE32_NOPAD.encode(&node.0).to_lowercase())
}

/// A service that tells everybody the same, and ends.
pub fn service() -> u16 {
	let listener = TcpListener::bind("127.0.0.1:0").unwrap();
	let port = listener.local_addr().unwrap().port();
	thread::spawn(move || {
		for mut stream in listener.incoming().flatten() {
			let mut asked = [0; 5];
			if stream.read_exact(&mut asked).is_ok() {
				let _ = stream.write_all(HELLO.as_bytes());
			}
		}
	});
	port
}

/// What comes of a name and port through a SOCKS5 proxy, or the proxy's reason against it.
pub fn through_proxy(proxy: u16, host: &str, port: u16) -> Result<String, u8> {
	let mut stream = TcpStream::connect(("127.0.0.1", proxy)).unwrap();
	let mut request = vec![5, 1, 0, 5, 1, 0, 3, host.len() as u8];
	request.extend_from_slice(host.as_bytes());
	request.extend_from_slice(&port.to_be_bytes());
	stream.write_all(&request).unwrap();
	let mut answer = [0; 12];
	stream.read_exact(&mut answer).unwrap();
	if answer[3] != 0 {
		return Err(answer[3]);
	}
	stream.write_all(b"hello").unwrap();
	let mut told = String::new();
	stream.read_to_string(&mut told).unwrap();
	Ok(told)
}
