//! Every command that asks a running agent, of agents on loopback without a chain: two of one network, and one of another.

#![allow(clippy::unwrap_used)]

use std::{
	fs::File,
	io::{BufRead, BufReader},
	net::UdpSocket,
	os::unix::fs::PermissionsExt,
	path::PathBuf,
	process::{Child, Command, Output, Stdio},
	thread::sleep,
	time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_mesh-agent");
/// Whatever is waited for here comes within this.
const SOON: Duration = Duration::from_secs(10);
/// Verbs that only look.
const LOOKS: [&str; 11] = [
	"neighbours",
	"routes",
	"circuits",
	"accounts",
	"purse",
	"earnings",
	"drops",
	"names",
	"config",
	"log-level",
	"status",
];

struct Running {
	folder: PathBuf,
	port: u16,
	child: Child,
}

impl Drop for Running {
	fn drop(&mut self) {
		let _ = self.child.kill();
		let _ = self.child.wait();
	}
}

fn free_port() -> u16 {
	UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Starts an agent of the network whose genesis hash has this byte everywhere.
fn start(home: &TempDir, name: &str, network: &str, peers: &[u16]) -> Running {
	let folder = home.path().join(name);
	std::fs::create_dir(&folder).unwrap();
	let peers: Vec<_> = peers.iter().map(|port| format!("\"127.0.0.1:{port}\"")).collect();
	run(folder, network, &peers.join(", "))
}

/// The same with a folder that it may have had before.
fn run(folder: PathBuf, network: &str, peers: &str) -> Running {
	let port = free_port();
	// Nobody answers there: with the network's name an agent does not wait for its node.
	let text = format!(
		"folder = {folder:?}\nlisten = \"127.0.0.1:{port}\"\npeers = [{peers}]\n[chain]\nendpoint = \"ws://127.0.0.1:9\"\ngenesis = \"0x{}\"\n[router]\n",
		network.repeat(32),
	);
	let config = folder.join("agent.toml");
	std::fs::write(&config, text).unwrap();
	let log = File::create(folder.join("log")).unwrap();
	let child = Command::new(PROGRAM).args(["run", "--config"]).arg(&config).stderr(log).spawn().unwrap();
	let running = Running { folder, port, child };
	until("a running agent", || running.ask("status", &[]).status.success().then_some(()));
	running
}

fn until<T>(what: &str, mut get: impl FnMut() -> Option<T>) -> T {
	let end = Instant::now() + SOON;
	loop {
		if let Some(got) = get() {
			return got;
		}
		assert!(Instant::now() < end, "no sign of {what} within {SOON:?}");
		sleep(Duration::from_millis(50));
	}
}

impl Running {
	fn ask(&self, verb: &str, more: &[&str]) -> Output {
		Command::new(PROGRAM).arg(verb).arg("--folder").arg(&self.folder).args(more).output().unwrap()
	}

	fn text(&self, verb: &str, more: &[&str]) -> String {
		let output = self.ask(verb, more);
		assert!(output.status.success(), "{verb}: {}", String::from_utf8_lossy(&output.stderr));
		String::from_utf8(output.stdout).unwrap()
	}

	fn json(&self, verb: &str) -> Value {
		serde_json::from_str(&self.text(verb, &["--output", "json"])).unwrap()
	}

	fn log(&self) -> String {
		std::fs::read_to_string(self.folder.join("log")).unwrap()
	}

	/// Asks it to stop, as a service manager does.
	fn stop(mut self) -> PathBuf {
		Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
		until("the agent's end", || self.child.try_wait().unwrap());
		self.folder.clone()
	}
}

fn reasons(neighbours: &Value) -> Vec<(String, String)> {
	let word = |value: &Value| value.as_str().unwrap().to_owned();
	let refused = neighbours["refused"].as_array().unwrap();
	refused.iter().map(|entry| (word(&entry["address"]), word(&entry["reason"]))).collect()
}

#[test]
fn every_command_answers_people_and_machines_and_a_wrong_network_is_named() {
	let home = tempfile::tempdir().unwrap();
	let near = start(&home, "near", "11", &[]);
	let stranger = start(&home, "stranger", "22", &[]);
	let nobody = free_port();
	let agent = start(&home, "agent", "11", &[near.port, stranger.port, nobody]);
	until("the link", || (agent.json("neighbours")["links"].as_array().unwrap().len() == 1).then_some(()));

	for verb in LOOKS {
		let (text, json) = (agent.text(verb, &["--output", "text"]), agent.json(verb));
		let machine = json.to_string();
		assert!(!text.trim().is_empty() && text.trim() != machine, "{verb}: {text}");
	}
	let node = near.json("status")["node_id"].as_str().unwrap().to_owned();
	assert_eq!(agent.json("neighbours")["links"][0]["peer"], node);
	until("the route", || (agent.json("routes")[0]["via"] == node).then_some(()));
	let config = agent.json("config");
	assert_eq!((config["router"]["price"].as_str(), config["payer"].is_null()), (Some("0.05"), true));
	assert_eq!(config["chain"]["genesis"], format!("0x{}", "11".repeat(32)));
	assert!(agent.text("finish", &[]).contains("pays for nothing"));
	assert!(agent.text("claim", &[]).contains("No channel"));

	wrong_network(&agent, &stranger, nobody);
	log_level(&agent);
	follows(&agent, near);
	ends(agent);
}

fn wrong_network(agent: &Running, stranger: &Running, nobody: u16) {
	let theirs = format!("127.0.0.1:{}", stranger.port);
	let expected = [(theirs.clone(), "not_understood"), (format!("127.0.0.1:{nobody}"), "no_answer")];
	until("both reasons", || {
		let seen = reasons(&agent.json("neighbours"));
		let has = |(address, reason): &(String, &str)| seen.contains(&(address.clone(), (*reason).to_owned()));
		expected.iter().all(has).then_some(())
	});
	let told = agent.text("status", &["--output", "text"]);
	assert!(told.contains(&theirs) && told.contains("compare chain.genesis"), "{told}");
	assert!(agent.log().contains("compare chain.genesis"), "{}", agent.log());
	// The one that was called does not know more than that nobody goes on.
	let ours = format!("127.0.0.1:{}", agent.port);
	until("the caller's trace", || {
		reasons(&stranger.json("neighbours")).contains(&(ours.clone(), "unfinished".to_owned())).then_some(())
	});
	let trouble = agent.json("status")["trouble"].to_string();
	assert!(trouble.contains("\"chain\"") && trouble.contains("ws://127.0.0.1:9"), "{trouble}");
}

fn log_level(agent: &Running) {
	assert_eq!(agent.text("log-level", &[]).trim(), "info");
	assert_eq!(agent.text("log-level", &["debug"]).trim(), "debug");
	let refused = agent.ask("log-level", &["loud"]);
	assert_eq!(refused.status.code(), Some(2));
	assert!(String::from_utf8_lossy(&refused.stderr).contains("info, debug"));
	assert_eq!(agent.text("log-level", &["info"]).trim(), "info");
}

/// Listens while a neighbour goes.
fn follows(agent: &Running, near: Running) {
	let mut listener = Command::new(PROGRAM)
		.args(["events", "--output", "json", "--folder"])
		.arg(&agent.folder)
		.stdout(Stdio::piped())
		.spawn()
		.unwrap();
	let lines = BufReader::new(listener.stdout.take().unwrap()).lines();
	sleep(Duration::from_millis(500));
	let node = near.json("status")["node_id"].as_str().unwrap().to_owned();
	near.stop();
	let events = lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
	let down = events.into_iter().find(|event| event["event"] == "link_down").unwrap();
	assert_eq!(down["peer"], node);
	assert!(down["why"].is_string() && down["number"].is_u64());
	listener.kill().unwrap();
	listener.wait().unwrap();
}

fn ends(agent: Running) {
	let socket = agent.folder.join("agent.sock");
	assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
	let folder = agent.stop();
	assert!(!socket.exists(), "a clean end leaves no socket");
	let ask =
		|folder: &std::path::Path| Command::new(PROGRAM).args(["purse", "--folder"]).arg(folder).output().unwrap();
	let stopped = ask(&folder);
	assert!(!stopped.status.success());
	assert!(String::from_utf8_lossy(&stopped.stderr).contains("mesh-agent run"), "{stopped:?}");
	let elsewhere = ask(folder.parent().unwrap());
	assert!(String::from_utf8_lossy(&elsewhere.stderr).contains("not an agent's folder"), "{elsewhere:?}");
}

#[test]
fn every_verb_explains_itself() {
	for verb in LOOKS.iter().chain(&["events", "finish", "claim", "resolve"]) {
		let help = Command::new(PROGRAM).args([verb, "--help"]).output().unwrap();
		let help = String::from_utf8(help.stdout).unwrap();
		assert!(help.contains(&format!("mesh-agent {verb} --folder ~/.towpath")), "{help}");
		assert!(help.contains("--output"), "{help}");
	}
}

#[test]
fn where_a_neighbour_was_last_is_known_after_a_kill_and_a_damaged_file_changes_nothing_else() {
	let home = tempfile::tempdir().unwrap();
	let near = start(&home, "near", "11", &[]);
	let node = near.json("status")["node_id"].as_str().unwrap().to_owned();
	let (folder, file) = (home.path().join("agent"), home.path().join("agent/reached"));
	std::fs::create_dir(&folder).unwrap();
	let links = |agent: &Running| agent.json("neighbours")["links"].as_array().unwrap().len();
	let linked = |agent: &Running| until("the link", || (links(agent) == 1).then_some(()));

	let known = format!("{{ node = \"{node}\", addresses = [\"127.0.0.1:{}\"] }}", near.port);
	let agent = run(folder.clone(), "11", &known);
	linked(&agent);
	until("the file", || file.exists().then_some(()));
	// What is dropped is killed.
	drop(agent);

	// From now on nobody tells the agent where that node is.
	let lost = format!("{{ node = \"{node}\" }}");
	let agent = run(folder.clone(), "11", &lost);
	linked(&agent);
	agent.stop();
	let good = std::fs::read(&file).unwrap();

	for damaged in [&good[..good.len() - 1], b"junk"] {
		std::fs::write(&file, damaged).unwrap();
		let agent = run(folder.clone(), "11", &lost);
		sleep(Duration::from_secs(1));
		assert_eq!(links(&agent), 0, "nothing of it is believed");
		assert!(agent.log().contains("reached: it"), "{}", agent.log());
		agent.stop();
	}

	// A whole one takes its place. Whoever is asked to stop writes at once.
	let agent = run(folder, "11", &known);
	linked(&agent);
	agent.stop();
	assert!(std::fs::read(&file).unwrap() == good);
}
