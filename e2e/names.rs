//! Names of the mesh without chain and Internet: a household finds a service of its neighbour's by name, through the proxy, and the
//! name that it was told by a file of an earlier run.

#![allow(clippy::unwrap_used)]

use towpath_primitives::NodeId;

use crate::laboratory::{
	loopback::{name_of_key, names_file, service, through_proxy, until, Agent, HELLO},
	ports::free_port,
	turns::{self, Need},
};

#[test]
fn a_household_reaches_its_neighbours_service_by_name_without_chain_and_internet() {
	let _turn = turns::wait("names", Need::Little);
	let home = tempfile::tempdir().unwrap();
	let port = service();
	let refused = free_port();
	let services = format!(
		"[[services]]\nport = 80\nto = \"127.0.0.1:{port}\"\n[[services]]\nport = 81\nto = \"127.0.0.1:{refused}\"\n"
	);
	let garden = Agent::start(&home, "garden", &[], &format!("[router]\nfree_rate = 200000\n{services}"), None);
	let node = garden.node();
	let proxy = free_port();
	// The gateway is nobody: what stays in the mesh does not need one.
	let household = format!(
		"[payer]\ngateway = \"0x{}\"\nlimit = \"1\"\n[proxy]\nlisten = \"127.0.0.1:{proxy}\"\n",
		"77".repeat(32)
	);
	let file = names_file(&[("garden", node)]);
	let agent = Agent::start(&home, "household", &[garden.port], &household, Some(&file));
	until("a route to the garden", || (!agent.json("routes").as_array().unwrap().is_empty()).then_some(()));

	assert_eq!(agent.text("resolve", &["garden.mesh"]).trim(), node.overlay_address().to_string());
	let known = agent.json("names");
	assert_eq!(
		(known["finalized_height"].as_u64(), known["names"][0]["name"].as_str()),
		(Some(7), Some("garden.mesh"))
	);
	assert!(agent.text("names", &[]).contains(&node.overlay_address().to_string()));
	let by_key = agent.json_of("resolve", &["garden.mesh"])["name_of_key"].as_str().unwrap().to_owned();

	assert_eq!(through_proxy(proxy, "garden.mesh", 80).as_deref(), Ok(HELLO));
	assert_eq!(through_proxy(proxy, &by_key, 80).as_deref(), Ok(HELLO));
	assert_eq!(through_proxy(proxy, "GARDEN.MESH.", 80).as_deref(), Ok(HELLO));
	assert_eq!(through_proxy(proxy, &node.overlay_address().to_string(), 80).as_deref(), Ok(HELLO));
	let circuits = agent.json("circuits");
	assert_eq!(circuits.as_array().unwrap().len(), 1, "{circuits}");
	assert_eq!(circuits[0]["path"][0], node.to_string());

	assert_eq!(through_proxy(proxy, "gardens.mesh", 80), Err(4), "nobody has that name");
	assert_eq!(through_proxy(proxy, "garden.mesh", 81), Err(4), "that service does not answer");
	assert_eq!(through_proxy(proxy, "garden.mesh", 22), Err(4), "that port is not offered");
	let own = agent.text("resolve", &[&name_of_key(&agent.node())]);
	assert_eq!(through_proxy(proxy, own.trim(), 80), Err(4), "nobody has a circuit to itself");

	for (name, why) in [("gardens.mesh", "registered"), ("example.org", "no name of the mesh")] {
		let refused = agent.ask("resolve", &[name]);
		assert_eq!(refused.status.code(), Some(2), "{name}");
		assert!(String::from_utf8_lossy(&refused.stderr).contains(why), "{refused:?}");
	}
}

#[test]
fn a_damaged_file_of_names_is_told_of_and_stops_nothing() {
	let _turn = turns::wait("names", Need::Little);
	let home = tempfile::tempdir().unwrap();
	let mut file = names_file(&[("garden", NodeId([1; 32]))]);
	*file.last_mut().unwrap() ^= 1;
	let agent = Agent::start(&home, "agent", &[], "[router]\n", Some(&file));
	assert!(agent.log().contains("checksum is wrong"), "{}", agent.log());
	assert_eq!(agent.json("names")["names"].as_array().unwrap().len(), 0);
	assert_eq!(agent.ask("resolve", &["garden.mesh"]).status.code(), Some(2));
}
