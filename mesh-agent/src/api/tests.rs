//! The server as its callers see it: real sockets, bytes as they come.

use std::{os::unix::fs::PermissionsExt, path::PathBuf, rc::Rc, sync::Arc, time::Duration};

use serde_json::{json, Value};
use tempfile::TempDir;
use tokio::{
	io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
	net::{TcpStream, UnixStream},
	task::LocalSet,
	time::timeout,
};
use towpath_proto::{
	agent::{self, Agent},
	crypto::{RustCrypto, Secrets},
	settlement::Limits,
	time::Instant,
};

use super::{
	client::{self, Client},
	config,
	desk::{METHODS, TAKES},
	events,
	patience::{self, Impatient},
	server::{self, Api},
	Desk, MAX_CONNECTIONS, MAX_REQUEST, SOCKET, TOKEN,
};
use crate::{config::Config, metrics::Metrics, shell::Shared};

/// Nothing here takes longer.
const SOON: Duration = Duration::from_secs(10);

struct Served {
	shared: Rc<Shared>,
	folder: TempDir,
	port: u16,
	api: Api,
}

fn core() -> Agent {
	let config = agent::Config {
		secrets: Secrets { genesis: [1; 32], node_seed: [2; 32], noise: [3; 32] },
		price: 0,
		transit: true,
		limits: Limits { unsecured: 0, unsecured_total: 0 },
		loss_allowance: 0,
		free_rate: 0,
		max_price: 0,
		max_path_price: 0,
	};
	Agent::new(config, Arc::new(RustCrypto), &[], [4; 32], Instant::from_micros(0))
}

async fn served() -> Served {
	let folder = tempfile::tempdir().unwrap();
	std::fs::write(folder.path().join("node.key"), "").unwrap();
	let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
	let text = format!("folder = {:?}\n[api]\nlisten = \"{free}\"\n[router]", folder.path());
	let shared = Rc::new(Shared::new(core(), None));
	let desk = Desk::new(shared.clone(), Config::parse(&text).unwrap(), Rc::new(Metrics::default()));
	let api = server::start(desk).await.unwrap();
	Served { shared, folder, port: free.port(), api }
}

/// Runs a test as the agent runs: in one thread.
fn local(test: impl std::future::Future<Output = ()>) {
	let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
	LocalSet::new().block_on(&runtime, async { timeout(SOON, test).await.unwrap() });
}

impl Served {
	fn socket(&self) -> PathBuf {
		self.folder.path().join(SOCKET)
	}

	async fn unix(&self) -> UnixStream {
		UnixStream::connect(self.socket()).await.unwrap()
	}

	/// A POST on loopback: status and body.
	async fn post(&self, headers: &str, body: &str) -> (u16, String) {
		let stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
		exchange(stream, &format!("POST / HTTP/1.1\r\n{headers}"), body).await
	}

	fn headers(&self) -> String {
		let token = std::fs::read_to_string(self.folder.path().join(TOKEN)).unwrap();
		format!("host: 127.0.0.1:{}\r\nauthorization: Bearer {}\r\n", self.port, token.trim())
	}
}

async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, head: &str, body: &str) -> (u16, String) {
	let length = body.len();
	let request =
		format!("{head}content-type: application/json\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
	// Whoever is refused early does not get to send everything.
	let _ = stream.write_all(request.as_bytes()).await;
	let mut answer = Vec::new();
	let _ = stream.read_to_end(&mut answer).await;
	let answer = String::from_utf8(answer).unwrap();
	let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
	(status, answer.split_once("\r\n\r\n").map_or(String::new(), |(_, body)| body.to_owned()))
}

const VERSION: &str = r#"{"jsonrpc":"2.0","id":1,"method":"version"}"#;

fn code(body: &str) -> i64 {
	serde_json::from_str::<Value>(body).unwrap()["error"]["code"].as_i64().unwrap()
}

#[test]
fn loopback_wants_the_token_and_lets_no_web_page_in() {
	local(async {
		let served = served().await;
		let right = served.headers();
		let (status, body) = served.post(&right, VERSION).await;
		assert_eq!((status, body.contains("\"api\":1")), (200, true), "{body}");
		let (status, body) = served.post(&format!("host: 127.0.0.1:{}\r\n", served.port), VERSION).await;
		assert_eq!((status, code(&body)), (401, -32051));
		let (status, body) = served.post(&format!("{right}origin: http://localhost\r\n"), VERSION).await;
		assert_eq!((status, code(&body)), (403, -32052));
		let rebound = right.replace("127.0.0.1", "rebound.example");
		assert_eq!(served.post(&rebound, VERSION).await.0, 403);
		let socket = served.unix().await;
		assert_eq!(exchange(socket, "POST / HTTP/1.1\r\nhost: x\r\norigin: null\r\n", VERSION).await.0, 403);
		let socket = served.unix().await;
		assert_eq!(exchange(socket, "POST / HTTP/1.1\r\nhost: x\r\n", VERSION).await.0, 200);
	});
}

#[test]
fn the_socket_is_its_owners_alone_and_goes_with_the_agent() {
	local(async {
		let served = served().await;
		let mode = std::fs::metadata(served.socket()).unwrap().permissions().mode();
		assert_eq!(mode & 0o777, 0o600);
		let socket = served.socket();
		drop(served.api);
		assert!(!socket.exists(), "a clean end leaves none");
	});
}

#[test]
fn the_configuration_in_force_has_every_key_of_the_guide() {
	let node = "11".repeat(32);
	let text = format!(
		"folder = \"x\"\n[router]\n[router.gateway]\n[payer]\ngateway = \"0x{node}\"\nlimit = \"1\"\n[dns]\n[{{}}]"
	);
	let views = ["tun", "proxy"].map(|section| config::view(&Config::parse(&text.replace("{}", section)).unwrap()));
	let guide = include_str!("../../../docs/agent.md");
	let (_, table) = guide.split_once("| key | default | unit, meaning |").unwrap();
	let rows = table.lines().skip(2).map_while(|line| line.strip_prefix("| `")?.split_once('`'));
	let keys: Vec<_> = rows.map(|(key, _)| key.trim_matches(['[', ']']).replace('.', "/")).collect();
	assert!(keys.len() > 30, "{keys:?}");
	for key in keys {
		assert!(views.iter().any(|view| view.pointer(&format!("/{key}")).is_some()), "{key} is not shown");
	}
}

#[test]
fn what_is_malformed_too_large_or_unknown_is_refused_with_its_code() {
	local(async {
		let served = served().await;
		let right = served.headers();
		let large = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{}"}}"#, "x".repeat(MAX_REQUEST as usize));
		assert_eq!(served.post(&right, &large).await.0, 413);
		for (body, expected) in [
			(r#"{"jsonrpc":"2.0","id":1,"method":"reboot"}"#, -32601),
			(r#"{"jsonrpc":"2.0","id":1,"method":"status","params":[1]}"#, -32050),
			(r#"{"jsonrpc":"2.0","id":1,"method":"status","params":7}"#, -32050),
			(r#"{"jsonrpc":"2.0","id":1,"method":"set_log_level","params":{"level":"loud"}}"#, -32050),
			(r#"{"jsonrpc":"2.0","id":1,"method":"set_log_level","params":[]}"#, -32050),
			(r#"{"jsonrpc":"2.0","id":1,"method":"events"}"#, -32603),
			(r#"{"id":1}"#, -32600),
			("{", -32700),
		] {
			let (_, answer) = served.post(&right, body).await;
			assert_eq!(code(&answer), expected, "{body}: {answer}");
		}
		let batch: Vec<Value> = (0..17).map(|id| json!({ "jsonrpc": "2.0", "id": id, "method": "version" })).collect();
		assert_eq!(code(&served.post(&right, &json!(batch).to_string()).await.1), -32010);
		assert_eq!(served.post(&right, &json!(batch[..16]).to_string()).await.0, 200);
	});
}

#[test]
fn every_method_answers_and_the_guide_lists_them_all() {
	local(async {
		let served = served().await;
		let client = Client::connect(served.folder.path()).await.unwrap();
		let guide = include_str!("../../../docs/agent.md");
		let (_, table) = guide.split_once("| method | result |").unwrap();
		let rows = table.lines().skip(2).map_while(|line| line.strip_prefix("| `")?.split_once('`'));
		let documented: Vec<_> = rows.map(|(name, _)| name).collect();
		let known = client.call("methods", json!([])).await.unwrap();
		let known: Vec<_> = known.as_array().unwrap().iter().map(|method| method["name"].as_str().unwrap()).collect();
		assert_eq!(documented, known);
		for method in METHODS.iter().filter(|method| !TAKES.contains(&method.name)) {
			client.call(method.name, json!([])).await.unwrap();
		}
		let status = client.call("status", json!({})).await.unwrap();
		for field in ["node_id", "links", "routes", "circuits", "carried", "accounts", "purse", "drops", "trouble"] {
			assert!(status.get(field).is_some(), "{field}");
		}
	});
}

#[test]
fn whoever_comes_when_all_places_are_taken_is_told_so_and_loopback_has_its_own() {
	local(async {
		let served = served().await;
		let mut held = Vec::new();
		for _ in 0..MAX_CONNECTIONS.0 {
			held.push(served.unix().await);
		}
		let (status, body) = exchange(served.unix().await, "POST / HTTP/1.1\r\nhost: x\r\n", VERSION).await;
		assert_eq!((status, code(&body)), (503, -32053));
		assert_eq!(served.post(&served.headers(), VERSION).await.0, 200);
		held.pop();
		while exchange(served.unix().await, "POST / HTTP/1.1\r\nhost: x\r\n", VERSION).await.0 != 200 {}
	});
}

/// Unmasked text frames, as servers send them.
async fn frame(stream: &mut UnixStream) -> Value {
	loop {
		let (kind, short) = (stream.read_u8().await.unwrap(), stream.read_u8().await.unwrap());
		let length = match short {
			126 => usize::from(stream.read_u16().await.unwrap()),
			127 => stream.read_u64().await.unwrap() as usize,
			short => usize::from(short),
		};
		let mut bytes = vec![0; length];
		stream.read_exact(&mut bytes).await.unwrap();
		if kind == 0x81 {
			return serde_json::from_slice(&bytes).unwrap();
		}
	}
}

#[test]
fn a_slow_subscriber_holds_nobody_up_and_learns_what_it_missed() {
	local(async {
		let served = served().await;
		let mut stream = served.unix().await;
		let upgrade = "GET / HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
			sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
		stream.write_all(upgrade.as_bytes()).await.unwrap();
		let mut head = Vec::new();
		while !head.ends_with(b"\r\n\r\n") {
			head.push(stream.read_u8().await.unwrap());
		}
		assert!(head.starts_with(b"HTTP/1.1 101"));
		let body = br#"{"jsonrpc":"2.0","id":1,"method":"events"}"#;
		// Masked with zeroes.
		stream.write_all(&[0x81, 0x80 | body.len() as u8, 0, 0, 0, 0]).await.unwrap();
		stream.write_all(body).await.unwrap();
		assert!(frame(&mut stream).await["result"].is_number());
		const TOLD: u64 = 3_000;
		for _ in 0..TOLD {
			served.shared.news.tell("test", json!({ "padding": "x".repeat(1_000) }));
			tokio::task::yield_now().await;
		}
		let (mut seen, mut missed, mut last) = (0, 0, 0);
		while seen + missed < TOLD {
			let event = frame(&mut stream).await["params"]["result"].take();
			if event["event"] == "missed" {
				missed += event["count"].as_u64().unwrap();
				continue;
			}
			assert!(event["number"].as_u64().unwrap() > last);
			(seen, last) = (seen + 1, event["number"].as_u64().unwrap());
		}
		assert_eq!((seen + missed, last), (TOLD, TOLD), "the newest ones come");
		assert!(missed > 0 && seen >= events::KEPT as u64, "{seen} seen, {missed} missed");
	});
}

#[test]
fn a_connection_that_hangs_ends_and_gives_its_place_back() {
	local(async {
		let short = Duration::from_millis(50);
		let place = Arc::new(());
		let limits = patience::Limits { silent: short, stuck: short };
		let (mut near, _far) = {
			let (near, far) = tokio::io::duplex(64);
			(Impatient::new(near, limits, place.clone()), far)
		};
		assert_eq!(near.read_u8().await.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
		assert_eq!(near.write_all(&[0; 65]).await.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
		assert!(near.read_u8().await.is_err());
		drop(near);
		assert_eq!(Arc::strong_count(&place), 1);
	});
}

#[test]
fn nothing_is_read_from_whoever_does_not_read() {
	local(async {
		let limits = patience::Limits { silent: SOON, stuck: SOON };
		let (near, mut far) = tokio::io::duplex(64);
		let (mut reader, mut writer) = tokio::io::split(Impatient::new(near, limits, ()));
		far.write_all(b"x").await.unwrap();
		let writing = tokio::task::spawn_local(async move { writer.write_all(&[1; 100]).await });
		tokio::task::yield_now().await;
		assert!(timeout(Duration::from_millis(50), reader.read_u8()).await.is_err(), "it waits");
		far.read_exact(&mut [0; 100]).await.unwrap();
		assert_eq!(reader.read_u8().await.unwrap(), b'x');
		writing.await.unwrap().unwrap();
	});
}

#[test]
fn an_agent_of_another_version_is_named_before_anything_is_asked() {
	local(async {
		let folder = tempfile::tempdir().unwrap();
		let mut methods = jsonrpsee::RpcModule::new(());
		methods.register_method("version", |_, _, _| json!({ "version": "9.8.7", "api": 99 })).unwrap();
		let socket = server::bind(&folder.path().join(SOCKET)).unwrap();
		let _api = server::listen(folder.path(), socket, None, methods.into()).await.unwrap();
		let error = client::ask(folder.path(), "finish").await.unwrap_err();
		assert!(
			matches!(error, client::Trouble::WrongVersion { .. }) && error.to_string().contains("9.8.7"),
			"{error}"
		);
	});
}

#[test]
fn who_asks_in_vain_is_told_why() {
	local(async {
		let folder = tempfile::tempdir().unwrap();
		let ask = || client::ask(folder.path(), "status");
		assert!(matches!(ask().await, Err(client::Trouble::WrongFolder(_))));
		std::fs::write(folder.path().join("node.key"), "").unwrap();
		assert!(matches!(ask().await, Err(client::Trouble::NotRunning(_))));
		// An agent of before: it took lines.
		let old = tokio::net::UnixListener::bind(folder.path().join(SOCKET)).unwrap();
		tokio::task::spawn_local(async move {
			let (mut stream, _) = old.accept().await.unwrap();
			let _ = stream.read_u8().await;
			let _ = stream.write_all(b"{\"error\":\"unknown command\"}\n").await;
		});
		assert!(matches!(ask().await, Err(client::Trouble::WrongVersion { .. })));
	});
}
