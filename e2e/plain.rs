//! Plain mode with a real neighbour: our agent and `babeld` on one cable, in network namespaces. Routes are learned and taken
//! back in both directions, and nothing of ours stays in the kernel's table, however the agent ends.
//!
//! It needs root and babeld; without, the test says so and passes, except in CI.

use std::{
	process::{Command, Stdio},
	thread::sleep,
	time::{Duration, Instant},
};

use anyhow::{bail, ensure, Context, Result};
use serde_json::Value;

use crate::laboratory::{
	self,
	lab::{self, Lab},
	turns::Need,
	PROGRAM,
};

const AGENT: &str = "agent";
const BABELD: &str = "babeld";
/// What each side has to offer, of both families.
const OURS: [&str; 2] = ["10.44.1.1", "2001:db8:1::1"];
const THEIRS: [&str; 2] = ["10.44.2.1", "2001:db8:2::1"];
/// One more of theirs, that comes later.
const VISITOR: &str = "2001:db8:2::9";
/// The mark of our routes, as `docs/agent.md` has it.
const PROTOCOL: &str = "119";
/// Theirs in the kernel's table, from the same place.
const METRIC: &str = "512";
/// A hello each second on both sides, and duplicate address detection before the first.
const SOON: Duration = Duration::from_secs(15);
/// A retraction says it at once; three lost hellos would take longer.
const AT_ONCE: Duration = Duration::from_secs(3);

fn say(text: &str) {
	laboratory::say("plain", text);
}

fn obstacle() -> Option<String> {
	let babeld = Command::new("babeld").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status();
	let missing = babeld.is_err().then(|| "babeld is missing (Debian: babeld, in /usr/sbin)".into());
	lab::obstacle().or(missing)
}

#[test]
fn routes_are_exchanged_with_babeld_and_none_outlives_the_agent() -> Result<()> {
	laboratory::tell_with(
		"plain",
		Need::Machine,
		obstacle,
		|| Lab::new(&[AGENT, BABELD]),
		|lab| {
			let told = tell(lab);
			if told.is_err() {
				say(&status(lab).map_or_else(|error| format!("{error:#}"), |status| status.to_string()));
			}
			told
		},
	)
}

fn tell(lab: &mut Lab) -> Result<()> {
	let begin = Instant::now();
	let note = |text: &str| say(&format!("{:5.1} s: {text}", begin.elapsed().as_secs_f64()));
	lab.link((AGENT, "10.1.1.1/30"), (BABELD, "10.1.1.2/30"))?;
	for (router, addresses) in [(AGENT, OURS), (BABELD, THEIRS)] {
		// Loopback has a length of its own for every family.
		lab.ip(router, &format!("address add {}/32 dev lo", addresses[0]))?;
		lab.ip(router, &format!("address add {}/128 dev lo", addresses[1]))?;
	}
	start_agent(lab)?;
	start_babeld(lab)?;
	learned(lab, &THEIRS, &OURS)?;
	for (from, own, to) in [(AGENT, OURS, THEIRS), (BABELD, THEIRS, OURS)] {
		for (own, to) in own.iter().zip(to) {
			lab.exec(from, "ping", &["-n", "-c", "1", "-W", "2", "-I", own, to])?;
		}
	}
	note("routes of both families are learned both ways and lead there");

	lab.stop(BABELD)?;
	until(lab, AT_ONCE, "babeld's end", |lab| Ok(THEIRS.iter().all(|to| !usable(lab, to).unwrap_or(true))))?;
	start_babeld(lab)?;
	learned(lab, &THEIRS, &OURS)?;
	note("what babeld takes back is gone here, and comes again");

	let strangers = ["-6", "route", "add", VISITOR, "dev", "to_babeld", "metric", METRIC, "proto", "static"];
	lab.exec(AGENT, "ip", &strangers)?;
	lab.ip(BABELD, &format!("-6 route add unreachable {VISITOR} proto static"))?;
	until(lab, SOON, "a refusal", |lab| Ok(status(lab)?["plain"]["kernel"]["refused"].as_u64() > Some(0)))?;
	ensure!(marked(lab, AGENT, "static", true)? == [VISITOR], "somebody else's route was replaced");
	lab.ip(AGENT, &format!("-6 route delete {VISITOR} metric {METRIC} proto static"))?;
	lab.ip(AGENT, &format!("route delete {} proto {PROTOCOL}", THEIRS[0]))?;
	// Any change of addresses makes the agent look.
	lab.ip(AGENT, "address add 10.99.0.1/32 dev lo")?;
	let whole = [THEIRS[0], THEIRS[1], VISITOR];
	until(lab, AT_ONCE, "mended routes", |lab| {
		Ok(whole.iter().all(|to| ours(lab).is_ok_and(|ours| ours.iter().any(|own| own == to))))
	})?;
	note("somebody else's route is left alone, and ours come back when they are removed");

	lab.stop(AGENT)?;
	ensure!(ours(lab)?.is_empty(), "routes stay in the kernel after SIGTERM: {:?}", ours(lab)?);
	until(lab, AT_ONCE, "our end", |lab| Ok(theirs(lab)?.is_empty()))?;
	note("what we take back at the end is gone there, and our routes here");

	start_agent(lab)?;
	learned(lab, &THEIRS, &OURS)?;
	lab.kill(AGENT)?;
	let left = ours(lab)?;
	ensure!(left.len() >= THEIRS.len(), "a killed process cannot remove its routes, and yet there are {left:?}");
	// Nobody tells the next run about this one.
	lab.kill(BABELD)?;
	start_agent(lab)?;
	until(lab, SOON, "the removal of old routes", |lab| Ok(ours(lab)?.is_empty()))?;
	let swept = status(lab)?["plain"]["kernel"]["swept"].as_u64();
	ensure!(swept == Some(left.len() as u64), "swept: {swept:?} of {left:?}");
	note("routes of a killed run are gone when the next one starts");
	lab.check()
}

fn start_agent(lab: &mut Lab) -> Result<()> {
	let folder = lab.folder().join(AGENT);
	std::fs::create_dir_all(&folder)?;
	// An island: no node answers, and with the network's name none is needed.
	let chain = format!("[chain]\nendpoint = \"ws://127.0.0.1:9\"\ngenesis = \"0x{}\"\n", "11".repeat(32));
	let plain = "[plain]\nhello = 1\nannounce = [\"10.44.1.1/32\", \"2001:db8:1::1/128\"]\n\
		accept = [\"10.44.0.0/16\", \"2001:db8::/32\"]\n[[plain.interfaces]]\nname = \"to_*\"\n";
	let config = folder.join("agent.toml");
	std::fs::write(&config, format!("folder = {folder:?}\nlisten = \"127.0.0.1:7700\"\n{chain}{plain}"))?;
	lab.start(AGENT, AGENT, PROGRAM, &["run", "--config", &config.to_string_lossy()])?;
	until(lab, SOON, "a running agent", |lab| Ok(status(lab).is_ok()))
}

fn start_babeld(lab: &mut Lab) -> Result<()> {
	let file = |name: &str| lab.folder().join(name).to_string_lossy().into_owned();
	let (pid, state) = (file("babeld.pid"), file("babeld.state"));
	let mut words = vec!["-I", &pid, "-S", &state, "-h", "1", "-H", "1"];
	for rule in [
		"redistribute ip 10.44.0.0/16 local allow",
		"redistribute ip 2001:db8::/32 local allow",
		"redistribute ip 2001:db8::/32 proto 4 allow",
		"redistribute local deny",
		"redistribute deny",
	] {
		words.extend(["-C", rule]);
	}
	words.push("to_agent");
	lab.start(BABELD, BABELD, "babeld", &words)
}

fn status(lab: &Lab) -> Result<Value> {
	let folder = lab.folder().join(AGENT);
	let told = lab.exec(AGENT, PROGRAM, &["status", "--folder", &folder.to_string_lossy()])?;
	Ok(serde_json::from_slice(&told)?)
}

/// Destinations of the kernel's routes that bear a mark: all of them, or those that packets can follow.
fn marked(lab: &Lab, namespace: &str, protocol: &str, all: bool) -> Result<Vec<String>> {
	let mut found = Vec::new();
	for family in ["-4", "-6"] {
		let listed = lab.exec(namespace, "ip", &[family, "-j", "route", "show", "table", "all", "proto", protocol])?;
		let listed: Value = serde_json::from_slice(&listed).unwrap_or_default();
		let routes = listed.as_array().into_iter().flatten().filter(|route| all || route["type"] != "unreachable");
		found.extend(routes.filter_map(|route| Some(route["dst"].as_str()?.to_owned())));
	}
	Ok(found)
}

fn ours(lab: &Lab) -> Result<Vec<String>> {
	marked(lab, AGENT, PROTOCOL, true)
}

/// For a while after a loss babeld, too, has routes that say that there is no way.
fn theirs(lab: &Lab) -> Result<Vec<String>> {
	marked(lab, BABELD, "babel", false)
}

/// Whether the kernel knows a way: for a while after a loss there is a route that says that there is none.
fn usable(lab: &Lab, address: &str) -> Result<bool> {
	Ok(lab.try_exec(AGENT, "ip", &["route", "get", address])?.status.success())
}

fn learned(lab: &mut Lab, here: &[&str], there: &[&str]) -> Result<()> {
	let all = |has: Vec<String>, wanted: &[&str]| wanted.iter().all(|to| has.iter().any(|own| own == to));
	until(lab, SOON, "routes on both sides", |lab| Ok(all(ours(lab)?, here) && all(theirs(lab)?, there)))
}

fn until(lab: &mut Lab, most: Duration, what: &str, mut done: impl FnMut(&Lab) -> Result<bool>) -> Result<()> {
	let end = Instant::now() + most;
	while !done(lab).with_context(|| what.to_owned())? {
		lab.check()?;
		if Instant::now() > end {
			bail!("no sign of {what} within {most:?}");
		}
		sleep(Duration::from_millis(50));
	}
	Ok(())
}
