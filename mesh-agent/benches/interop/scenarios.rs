//! What is tried, and what must be seen.

use std::{
	collections::BTreeSet,
	net::IpAddr,
	thread::sleep,
	time::{Duration, Instant},
};

use anyhow::{bail, ensure, Context, Result};
use serde_json::{json, Value};

use crate::{
	chaos::Chaos,
	hops::Watch,
	routers::{addresses, name, Cable, Key, Make, Plan, Routers},
	say,
	traffic::{self, Datagrams},
	Options,
};
use Make::{Agent, Babeld, Bird};

/// What was seen, if everything was as it must be.
pub type Scenario = fn(&Options) -> Result<Value>;

/// All of them, and what each is about.
pub const ALL: [(&str, &str, Scenario); 7] = [
	("line", "babeld – agent – BIRD – agent – babeld: routes, traffic, withdrawals, both families", line),
	("mac", "authentication with babeld and BIRD, by HMAC-SHA256 and BLAKE2s, and wrong keys", mac),
	("rtt", "round trips measured with babeld, both ways", rtt),
	("v4-via-v6", "IPv4 across cables without IPv4 addresses", v4_via_v6),
	("source", "a route for packets from one network only, from babeld to babeld through us", source),
	("hostile", "a neighbour that announces the overlay, our address, a default route", hostile),
	("diamond", "links of babeld, BIRD and two agents cut and mended at random; no forwarding loop", diamond),
];

const HMAC: Key = Key { algorithm: "hmac-sha256", secret: "towpath laboratory" };
/// BLAKE2s keys of BIRD have 32 bytes.
const BLAKE: Key = Key { algorithm: "blake2s128", secret: "towpath-secret-of-32-bytes-long!" };
const WRONG: Key = Key { algorithm: "hmac-sha256", secret: "something else" };
/// Nothing may be learned for so long where keys differ: hellos come each second.
const NOTHING: Duration = Duration::from_secs(8);
/// Between two collections of next hops, besides the time that one takes.
const COLLECT_EVERY: Duration = Duration::from_millis(1);
/// How often it is said how the diamond fares.
const REPORT_EVERY: Duration = Duration::from_secs(30);

fn seconds(span: Duration) -> f64 {
	(span.as_secs_f64() * 10.0).round() / 10.0
}

/// Every make beside ours, ours in the middle and between.
fn line(_: &Options) -> Result<Value> {
	let cables = (1..5).map(|number| Cable::new(number, number + 1)).collect();
	let mut routers = Routers::start(Plan::new(&[Babeld, Agent, Bird, Agent, Babeld], cables))?;
	let all = [1, 2, 3, 4, 5];
	let learned = routers.all_know_all()?;
	say(&format!("line: everybody knows everybody after {:.1} s", learned.as_secs_f64()));
	let pairs = routers.all_ping_all()?;
	let rates = traffic::streams(&mut routers, 1, 5)?;
	say(&format!("line: {pairs} pairs ping; TCP from end to end at {rates:?} Mbit/s (IPv4, IPv6)"));
	let mut withdrawn = serde_json::Map::new();
	// The others' addresses go and come while the programs run.
	for number in [1, 3, 5] {
		routers.offer(number, false)?;
		let gone = routers.know(&all, number, false)?;
		routers.offer(number, true)?;
		let back = routers.know(&all, number, true)?;
		note(&mut withdrawn, &routers, number, gone, back);
	}
	// Ours end and start again. Whoever is behind them is gone, too.
	for number in [2, 4] {
		routers.lab.stop(&name(number))?;
		let left =
			routers.destinations(number)?.iter().filter(|to| to.starts_with("10.44") || to.starts_with("2001")).count();
		ensure!(left == 1, "r{number} has {left} routes left after its end; only its own address may be there");
		let others: Vec<_> = all.into_iter().filter(|other| *other != number).collect();
		let gone = routers.know(&others, number, false)?;
		routers.start_one(number)?;
		let back = routers.all_know_all()?;
		note(&mut withdrawn, &routers, number, gone, back);
	}
	routers.all_ping_all()?;
	Ok(json!({"learned_s": seconds(learned), "pairs": pairs, "tcp_mbit_s": rates, "withdrawn": withdrawn}))
}

fn note(into: &mut serde_json::Map<String, Value>, routers: &Routers, number: usize, gone: Duration, back: Duration) {
	let make = format!("{:?}", routers.plan.makes[number - 1]).to_lowercase();
	say(&format!(
		"line: r{number} ({make}) is gone everywhere after {:.1} s and back after {:.1} s",
		gone.as_secs_f64(),
		back.as_secs_f64()
	));
	into.insert(format!("r{number} ({make})"), json!({"gone_s": seconds(gone), "back_s": seconds(back)}));
}

/// Both algorithms with both others, and a cable whose ends have different keys.
fn mac(_: &Options) -> Result<Value> {
	let mut seen = Vec::new();
	for (babelds, birds) in [(HMAC, BLAKE), (BLAKE, HMAC)] {
		let cables = vec![Cable::with_key(1, 2, babelds), Cable::with_key(2, 3, birds)];
		let mut routers = Routers::start(Plan::new(&[Babeld, Agent, Bird], cables))?;
		let learned = routers.all_know_all()?;
		let pairs = routers.all_ping_all()?;
		say(&format!(
			"mac: {} with babeld, {} with BIRD: learned after {:.1} s, {pairs} pairs ping",
			babelds.algorithm,
			birds.algorithm,
			learned.as_secs_f64()
		));
		seen.push(json!({"babeld": babelds.algorithm, "bird": birds.algorithm, "learned_s": seconds(learned)}));
	}
	let mut refused = Vec::new();
	for (other, theirs) in [(Babeld, Some(WRONG)), (Bird, Some(WRONG)), (Babeld, None)] {
		let cable = Cable { keys: (theirs, Some(HMAC)), ..Cable::new(1, 2) };
		let mut routers = Routers::start(Plan::new(&[other, Agent], vec![cable]))?;
		sleep(NOTHING);
		routers.lab.check()?;
		let [v4, v6] = addresses(1);
		let learned = routers.destinations(2)?;
		ensure!(!learned.contains(&v4) && !learned.contains(&v6), "routes are learned without the key: {learned:?}");
		let drops = routers.status(2)?["drops"].clone();
		ensure!(drops["mac"].as_u64().is_some_and(|count| count > 0), "nothing is counted: {drops}");
		say(&format!(
			"mac: {other:?} with {}: nothing learned, dropped {}",
			theirs.map_or("no key", |_| "another key"),
			drops["mac"]
		));
		refused.push(json!({"from": format!("{other:?}"), "key": theirs.is_some(), "dropped": drops["mac"]}));
	}
	Ok(json!({"agreed": seen, "refused": refused}))
}

/// Timestamps go both ways: both ends know the round trip.
fn rtt(_: &Options) -> Result<Value> {
	let plan = Plan { rtt: true, ..Plan::new(&[Babeld, Agent], vec![Cable::new(1, 2)]) };
	let mut routers = Routers::start(plan)?;
	routers.all_know_all()?;
	let mut ours = None;
	routers.until("a round trip in our status", |routers| {
		ours = routers.status(2)?["neighbours"][0]["rtt_ms"].as_f64();
		Ok(ours.is_some_and(|rtt| rtt > 0.0))
	})?;
	let mut theirs = None;
	routers.until("a round trip in babeld's table", |routers| {
		let dump = routers.babeld_dump(1)?;
		let mut words = dump.lines().filter(|line| line.contains("neighbour")).flat_map(str::split_whitespace);
		theirs = words.find(|word| *word == "rtt").and_then(|_| words.next()).and_then(|rtt| rtt.parse::<f64>().ok());
		Ok(theirs.is_some())
	})?;
	let (ours, theirs) = (ours.unwrap_or_default(), theirs.unwrap_or_default());
	say(&format!("rtt: we measure {ours} ms, babeld {theirs} ms"));
	ensure!(ours < 100.0 && theirs < 100.0, "on a cable inside one machine");
	Ok(json!({"ours_ms": ours, "babelds_ms": theirs}))
}

/// IPv4 between networks whose cables have IPv6 alone.
fn v4_via_v6(_: &Options) -> Result<Value> {
	let bare = |a, b| Cable { ipv4: false, ..Cable::new(a, b) };
	let mut routers = Routers::start(Plan::new(&[Babeld, Agent, Babeld], vec![bare(1, 2), bare(2, 3)]))?;
	let learned = routers.all_know_all()?;
	let route = routers.lab.exec("r2", "ip", &["-4", "route", "show", "10.44.1.1"])?;
	let route = String::from_utf8_lossy(&route).trim().to_owned();
	ensure!(route.contains("via inet6 fe80:"), "our route is {route:?}");
	let pairs = routers.all_ping_all()?;
	let rates = traffic::streams(&mut routers, 1, 3)?;
	say(&format!("v4-via-v6: {pairs} pairs ping, TCP at {rates:?} Mbit/s; our kernel has {route:?}"));
	Ok(json!({"learned_s": seconds(learned), "pairs": pairs, "tcp_mbit_s": rates, "route": route}))
}

/// A route for packets from one network only, from one babeld to another one through us.
fn source(_: &Options) -> Result<Value> {
	let mut plan = Plan::new(&[Babeld, Agent, Babeld], vec![Cable::new(1, 2), Cable::new(2, 3)]);
	plan.babeld = vec!["redistribute ip 2001:db8:99::/48 proto 4 src-prefix 2001:db8:3::/48"];
	let mut routers = Routers::lay(plan)?;
	routers.lab.ip("r1", "-6 route add unreachable 2001:db8:99::/48 proto static")?;
	(1..=3).try_for_each(|number| routers.start_one(number))?;
	let route = |routers: &Routers, number: usize| -> Result<Option<String>> {
		let listed = routers.lab.exec(&name(number), "ip", &["-6", "route", "show", "table", "all"])?;
		let listed = String::from_utf8_lossy(&listed).into_owned();
		let mut found =
			listed.lines().filter(|line| line.contains("2001:db8:99::/48") && !line.contains("unreachable"));
		Ok(found.next().map(|line| line.trim().to_owned()))
	};
	for number in [2, 3] {
		let wanted = format!("the route from one source in r{number}");
		routers.until(&wanted, |routers| {
			Ok(route(routers, number)?.is_some_and(|route| route.contains("from 2001:db8:3::/48 via fe80:")))
		})?;
	}
	let seen = route(&routers, 2)?;
	ensure!(routers.destinations(2)?.contains("2001:db8:1::1"), "an ordinary route beside it is missing");
	say(&format!(
		"source: our kernel has {:?}, and the babeld behind us has it, too",
		seen.as_deref().unwrap_or_default()
	));
	routers.lab.stop("r1")?;
	let begin = Instant::now();
	routers.until("its end", |routers| Ok(route(routers, 2)?.is_none() && route(routers, 3)?.is_none()))?;
	Ok(json!({"route": seen, "gone_s": seconds(begin.elapsed())}))
}

/// A neighbour that announces what is not its own. Our agent takes everything that it may; none of this may be among it.
fn hostile(_: &Options) -> Result<Value> {
	let mut plan = Plan::new(&[Babeld, Agent, Babeld], vec![Cable::new(1, 2), Cable::new(2, 3)]);
	plan.accept = Some("[\"0.0.0.0/0\", \"::/0\"]");
	plan.babeld = vec!["redistribute proto 4 allow", "redistribute ip fd00::/8 local allow"];
	let mut routers = Routers::lay(plan)?;
	routers.start_one(2)?;
	let own = routers.own_address(2)?;
	// A gateway somewhere else in the mesh: any overlay address that is not ours.
	let gateway = "fdad:ac9e:b3f4:8a4d:3da8:672a:df35:b9bc";
	for address in [own.as_str(), gateway] {
		routers.lab.ip("r1", &format!("address add {address}/128 dev lo"))?;
	}
	let stolen = ["fd00::/8", "fc00::/7", "fdad:ac9e::/32", "::/0"];
	for prefix in stolen {
		routers.lab.ip("r1", &format!("-6 route add unreachable {prefix} proto static metric 4000"))?;
	}
	routers.lab.ip("r1", "-4 route add unreachable default proto static metric 4000")?;
	for number in [1, 3] {
		routers.start_one(number)?;
	}
	routers.know(&[2], 1, true)?;
	let announced = routers.babeld_dump(1)?;
	let hosts = [format!("{own}/128"), format!("{gateway}/128"), "0.0.0.0/0".into()];
	for prefix in stolen.iter().copied().chain(hosts.iter().map(String::as_str)) {
		let is_announced =
			announced.lines().any(|line| line.contains("xroute") && line.contains(&format!(" {prefix} ")));
		ensure!(is_announced, "babeld does not announce {prefix}, nothing is tested:\n{announced}");
	}
	let mut dropped = 0;
	routers.until("counted refusals", |routers| {
		dropped = routers.status(2)?["drops"]["filtered"].as_u64().unwrap_or(0);
		Ok(dropped >= 7)
	})?;
	// Whoever is behind us hears nothing of it either, and we went on long enough to have heard all of it twice.
	sleep(NOTHING);
	let bad = |to: &String| to.starts_with("fd") || to.starts_with("fc") || to == "default" || to == "0.0.0.0/0";
	for number in [2, 3] {
		let captured: BTreeSet<_> = routers.destinations(number)?.into_iter().filter(bad).collect();
		ensure!(captured.is_empty(), "r{number} has {captured:?}");
	}
	let status = routers.status(2)?;
	let routes = status["routes"].as_array().cloned().unwrap_or_default();
	let held: Vec<_> =
		routes.iter().filter_map(|route| route["prefix"].as_str()).filter(|to| bad(&(*to).to_owned())).collect();
	ensure!(held.is_empty(), "our agent holds {held:?}");
	routers.know(&[2, 3], 1, true)?;
	routers.ping(3, 1)?;
	let drops = status["drops"].clone();
	say(&format!("hostile: none of it is used or passed on; counted: {drops}"));
	Ok(json!({"drops": drops, "routes": routes.len()}))
}

/// Makes sure that a loop would be seen: two kernels are told to send the same packets to each other.
fn sees_a_loop(routers: &Routers, names: &[String]) -> Result<()> {
	let nowhere = "198.51.100.1";
	routers.lab.ip("r1", &format!("route add {nowhere} via 10.1.0.2 dev to_r2"))?;
	routers.lab.ip("r2", &format!("route add {nowhere} via 10.1.0.1 dev to_r1"))?;
	let mut watch = Watch::start(&routers.lab, names, &[nowhere.parse()?])?;
	watch.collect()?;
	ensure!(watch.suspected == 1 && watch.loops.is_empty(), "one collection proves nothing: {:?}", watch.loops);
	watch.collect()?;
	ensure!(watch.loops == [format!("{nowhere}: r1 → r2")], "a loop is not seen: {:?}", watch.loops);
	routers.lab.ip("r1", &format!("route delete {nowhere}"))?;
	routers.lab.ip("r2", &format!("route delete {nowhere}"))
}

/// Links come and go; kernels are asked all the time where packets would go.
fn diamond(options: &Options) -> Result<Value> {
	let cables = [(1, 2), (1, 3), (2, 4), (3, 4), (2, 3)].map(|(a, b)| Cable::new(a, b));
	let mut routers = Routers::start(Plan::new(&[Babeld, Agent, Bird, Agent], cables.to_vec()))?;
	routers.all_know_all()?;
	say(&format!("diamond: cutting links for {} minutes, seed {}", options.minutes, options.seed));
	let names: Vec<_> = (1..=4).map(name).collect();
	let destinations: Vec<IpAddr> =
		(1..=4).flat_map(addresses).map(|address| address.parse()).collect::<Result<_, _>>()?;
	sees_a_loop(&routers, &names)?;
	let mut watch = Watch::start(&routers.lab, &names, &destinations)?;
	let datagrams = Datagrams::start(&mut routers, 1, 4)?;
	let mut chaos = Chaos::new(&cables, options.seed);
	let begin = Instant::now();
	let (end, mut report) = (begin + Duration::from_secs_f64(options.minutes * 60.0), begin);
	while Instant::now() < end {
		chaos.act(&routers)?;
		let loops = watch.loops.len();
		watch.collect()?;
		if watch.loops.len() > loops {
			// Whose mistake it is shows only in what each of them believes at this moment.
			say(&format!("diamond: LOOP after {:.1} s: {:?}", begin.elapsed().as_secs_f64(), watch.loops));
			say(&routers.beliefs());
		}
		sleep(COLLECT_EVERY);
		routers.lab.check()?;
		if Instant::now() > report {
			report += REPORT_EVERY;
			say(&format!(
				"diamond: {:.0} s: asked {} times, {} cycles of different instants, {} loops",
				begin.elapsed().as_secs_f64(),
				watch.collections,
				watch.suspected,
				watch.loops.len()
			));
		}
	}
	chaos.mend(&routers)?;
	let healed = routers.all_know_all()?;
	let (share, pause) = datagrams.finish(&mut routers)?;
	routers.all_ping_all().context("after all links are mended")?;
	let status = [2, 4].map(|number| routers.status(number).map(|status| status["kernel"].clone()).unwrap_or_default());
	// A cycle that none of our agents is part of is between babeld and BIRD: BIRD 2.0.12 keeps a route for feasible that was so
	// when it came, and is not by what BIRD has announced since (RFC 8966, section 3.5.1).
	let agents = [name(2), name(4)];
	let (ours, others): (Vec<_>, Vec<_>) =
		watch.loops.iter().partition(|cycle| agents.iter().any(|agent| cycle.contains(agent)));
	let seen = json!({
		"minutes": options.minutes,
		"seed": options.seed,
		"cuts": {"silent": chaos.cuts.0, "loud": chaos.cuts.1},
		"collections": watch.collections,
		"suspected": watch.suspected,
		"loops": ours,
		"loops_of_others": others,
		"healed_s": seconds(healed),
		"arrived_share": (share * 1000.0).round() / 1000.0,
		"longest_pause_s": (pause * 10.0).round() / 10.0,
		"kernels": status,
	});
	say(&format!("diamond: {seen}"));
	if !ours.is_empty() {
		bail!("packets would have gone around: {ours:?}");
	}
	Ok(seen)
}
