//! A power cut in a village: agents that knew the chain are killed, the chain is gone, and they start again. Real agents, and a real node
//! until it is stopped.
//!
//! ```text
//! household ── router (registered) ── garden (carries for others, not registered)
//!                      └───────────── leaf
//! ```

#![allow(clippy::unwrap_used)]

use std::{
	fs::File,
	os::unix::fs::OpenOptionsExt,
	path::{Path, PathBuf},
	process::{Child, Command, Stdio},
	thread::sleep,
	time::Duration,
};

use crate::laboratory::{
	loopback::{name_of_key, service, through_proxy, until, within, Agent, HELLO},
	ports::free_port,
	turns::{self, Need},
};

/// `//Alice//router` of the well-known development phrase: the router of the development chain.
const ALICE: &str = "b8a73cbc371a235acedc108e75c866530408a0a30a17518de7165fdde1a16b6b";
/// A node on a busy machine takes so long to start.
const NODE_START: Duration = Duration::from_secs(180);

struct Node(Child);

impl Drop for Node {
	fn drop(&mut self) {
		let _ = self.0.kill();
		let _ = self.0.wait();
	}
}

/// The development chain, by one node that finalises alone.
fn node(root: &Path, rpc: u16) -> Node {
	let program = Path::new(env!("CARGO_BIN_EXE_mesh-agent")).with_file_name("towpath-node");
	assert!(program.exists(), "{} is missing; build it with: make build", program.display());
	let log = File::create(root.join("node.log")).unwrap();
	let child = Command::new("setpriv")
		.args(["--pdeathsig", "KILL"])
		.arg(program)
		.args(["--chain", "dev", "--alice", "--no-mdns", "--no-prometheus", "--base-path"])
		.arg(root.join("node"))
		.args(["--node-key", &format!("{:064x}", 1), "--rpc-port", &rpc.to_string()])
		.args(["--listen-addr", &format!("/ip4/127.0.0.1/tcp/{}", free_port())])
		.stdin(Stdio::null())
		.stdout(log.try_clone().unwrap())
		.stderr(log)
		.spawn()
		.unwrap();
	Node(child)
}

/// Where an agent lives, and what it is to do.
struct Plan {
	folder: PathBuf,
	port: u16,
	text: String,
}

impl Plan {
	fn new(home: &Path, name: &str, rpc: u16, peers: &[u16], more: &str) -> Self {
		let (folder, port) = (home.join(name), free_port());
		std::fs::create_dir(&folder).unwrap();
		let peers: Vec<_> = peers.iter().map(|port| format!("\"127.0.0.1:{port}\"")).collect();
		let text = format!(
			"folder = {folder:?}\nlisten = \"127.0.0.1:{port}\"\npeers = [{}]\n[chain]\nendpoint = \"ws://127.0.0.1:{rpc}\"\n{more}",
			peers.join(", ")
		);
		Self { folder, port, text }
	}

	fn launch(&self) -> Agent {
		Agent::launch(self.folder.clone(), self.port, &self.text)
	}

	fn known(&self) -> PathBuf {
		self.folder.join("known")
	}
}

fn write_key(folder: &Path) {
	use std::io::Write;
	let path = folder.join("node.key");
	let mut file = File::options().create(true).truncate(true).write(true).mode(0o600).open(path).unwrap();
	writeln!(file, "0x{ALICE}").unwrap();
}

/// Heights and words of the kept view that an agent works from.
fn kept(agent: &Agent) -> (Option<u64>, String) {
	let height = agent.json("status")["chain"]["kept"]["finalized_height"].as_u64();
	(height, agent.text("status", &["--output", "text"]))
}

fn routes(agent: &Agent) -> usize {
	agent.json("routes").as_array().unwrap().len()
}

#[test]
fn after_a_power_cut_without_a_chain_a_household_reaches_services_over_routers_that_were_admitted_before() {
	let _turn = turns::wait("cold", Need::Little);
	let home = tempfile::tempdir().unwrap();
	let (rpc, offered, proxy) = (free_port(), service(), free_port());
	let services = format!("[[services]]\nport = 80\nto = \"127.0.0.1:{offered}\"\n");
	let carries = format!("[router]\nfree_rate = 200000\nunsecured_when_cut_off = \"2.5\"\n{services}");
	let router = Plan::new(home.path(), "router", rpc, &[], &carries);
	write_key(&router.folder);
	let garden = Plan::new(home.path(), "garden", rpc, &[router.port], &carries);
	let leaf = Plan::new(home.path(), "leaf", rpc, &[router.port], &services);
	// Its gateway is nobody: what stays in the mesh does not need one.
	let pays = format!(
		"[payer]\ngateway = \"0x{}\"\nlimit = \"1\"\n[proxy]\nlisten = \"127.0.0.1:{proxy}\"\n",
		"77".repeat(32)
	);
	let household = Plan::new(home.path(), "household", rpc, &[router.port], &pays);
	let plans = [&router, &garden, &leaf, &household];

	let chain = node(home.path(), rpc);
	let is_final =
		|| std::fs::read_to_string(home.path().join("node.log")).unwrap_or_default().contains("finalized #2");
	within(NODE_START, "final blocks", || is_final().then_some(()));
	let agents = plans.map(Plan::launch);
	let names = [1, 2].map(|at: usize| name_of_key(&agents[at].node()));
	for (plan, agent) in plans.iter().zip(&agents) {
		let is_kept =
			|| (plan.known().exists() && agent.json("status")["chain"]["finalized_height"].as_u64()? > 1).then_some(());
		within(NODE_START, "the chain's word, and the file of it", is_kept);
		assert_eq!(kept(agent).0, None, "the chain answers");
	}
	for name in &names {
		within(NODE_START, "the service", || (through_proxy(proxy, name, 80).as_deref() == Ok(HELLO)).then_some(()));
	}

	// Killed, all of them, and nobody tells them anything when they are back.
	drop((chain, agents));
	let [router, mut garden_agent, leaf_agent, household_agent] = plans.map(Plan::launch);
	for agent in [&router, &garden_agent, &leaf_agent, &household_agent] {
		let (height, words) = kept(agent);
		assert!(words.contains(&format!("kept view of height {}, 20", height.unwrap())), "with its time: {words}");
	}
	assert_eq!(household_agent.text("resolve", &["router-1.mesh"]).trim(), router.node().overlay_address().to_string());
	let hosts = [&names[..], &["router-1.mesh".to_owned()]].concat();
	for host in &hosts {
		until(host, || (through_proxy(proxy, host, 80).as_deref() == Ok(HELLO)).then_some(()));
	}
	let of_router = router.json("status");
	assert_eq!(of_router["registered"], "active");
	assert_eq!(
		(of_router["unsecured"]["limit"].as_str(), of_router["unsecured"]["at_risk"].as_str()),
		(Some("2500000000000"), Some("0"))
	);

	until("all routes", || (routes(&garden_agent) == 3).then_some(()));

	// A damaged file is told of and ignored; then nobody is known to be admitted.
	drop(garden_agent);
	let mut bytes = std::fs::read(garden.known()).unwrap();
	*bytes.last_mut().unwrap() ^= 1;
	std::fs::write(garden.known(), bytes).unwrap();
	garden_agent = garden.launch();
	assert!(garden_agent.log().contains("checksum is wrong"), "{}", garden_agent.log());
	assert_eq!(kept(&garden_agent).0, None);
	until("a link", || garden_agent.json("neighbours")["links"][0]["trusted"].as_bool().filter(|trusted| *trusted));
	sleep(Duration::from_secs(5));
	assert_eq!(
		routes(&garden_agent),
		1,
		"it takes nothing from a router that it knows nothing of but the way to itself"
	);
	// An end that knows of no registry takes its own circuits from its router all the same.
	drop((leaf_agent, household_agent));
	std::fs::remove_file(leaf.known()).unwrap();
	let _both = [leaf.launch(), household.launch()];
	until("the leaf", || (through_proxy(proxy, &names[1], 80).as_deref() == Ok(HELLO)).then_some(()));
}
