//! What the API answers, in tables for people.

use std::fmt::Write;

use serde_json::Value;
use towpath_primitives::Amount;

use super::views::span;
use crate::config::show_tow;

/// Rows under a heading, each column as wide as it has to be; numbers to the right would be harder to find in logs.
fn table(heading: &[&str], rows: &[Vec<String>]) -> String {
	let mut widths: Vec<usize> = heading.iter().map(|word| word.chars().count()).collect();
	for row in rows {
		widths.iter_mut().zip(row).for_each(|(width, cell)| *width = (*width).max(cell.chars().count()));
	}
	let heading: Vec<String> = heading.iter().map(|word| (*word).to_owned()).collect();
	let mut text = String::new();
	for row in core::iter::once(&heading).chain(rows) {
		let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}", width = *width));
		let line = cells.collect::<Vec<_>>().join("  ");
		let _ = writeln!(text, "{}", line.trim_end());
	}
	text
}

fn list(value: &Value) -> &[Value] {
	value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
	match value {
		Value::Null => "-".into(),
		Value::String(text) => text.clone(),
		other => other.to_string(),
	}
}

fn tow(value: &Value) -> String {
	value.as_str().and_then(|text| text.parse::<Amount>().ok()).map_or("-".into(), show_tow)
}

fn mib(value: &Value) -> String {
	value.as_u64().map_or("-".into(), |bytes| format!("{:.2}", bytes as f64 / f64::from(1 << 20)))
}

fn ms(value: &Value) -> String {
	value.as_f64().map_or("-".into(), |ms| format!("{ms:.1}"))
}

fn seconds(value: &Value) -> String {
	value.as_u64().map_or("-".into(), span)
}

fn yes(value: &Value) -> String {
	if value.as_bool().unwrap_or(false) { "yes" } else { "no" }.into()
}

/// The beginning of an id: enough to tell nodes apart.
fn short(value: &Value) -> String {
	value.as_str().map_or("-".into(), |id| id.chars().take(10).collect())
}

/// Links, and who was refused.
pub fn neighbours(answer: &Value) -> String {
	let rows: Vec<_> = list(&answer["links"])
		.iter()
		.map(|link| {
			vec![
				short(&link["peer"]),
				text(&link["endpoint"]),
				text(&link["origin"]),
				text(&link["registered"]),
				yes(&link["trusted"]),
				ms(&link["rtt_ms"]),
				text(&link["loss_percent"]),
				text(&link["cost"]),
				seconds(&link["up_seconds"]),
			]
		})
		.collect();
	let mut told = match rows.is_empty() {
		true => "No neighbour has a link to this agent.\n".to_owned(),
		false => {
			table(&["NODE", "ADDRESS", "FOUND", "ON CHAIN", "TRUSTED", "RTT MS", "LOSS %", "COST", "UP FOR"], &rows)
		}
	};
	told.push_str(&peers(answer));
	let refused = list(&answer["refused"]);
	if !refused.is_empty() {
		told.push_str("\nNo link came about with:\n");
	}
	for entry in refused {
		let (address, why) = (text(&entry["address"]), text(&entry["why"]));
		let (count, last) = (&entry["count"], seconds(&entry["last_seconds_ago"]));
		let _ = writeln!(told, "- {address}: {why} ({count} times, last {last} ago)");
	}
	told
}

/// Peers to whom there is no link now.
fn peers(answer: &Value) -> String {
	let mut told = String::new();
	for peer in list(&answer["peers"]).iter().filter(|peer| peer["reached"] != "direct") {
		let names = list(&peer["names"]).iter().map(text).collect::<Vec<_>>().join(", ");
		let who = if peer["node"].is_null() { names } else { short(&peer["node"]) };
		let _ = write!(told, "No link to {who} for {}", seconds(&peer["missing_seconds"]));
		let introduction = &peer["introduction"];
		if !introduction.is_null() {
			let (why, next) = (text(&introduction["why"]), seconds(&introduction["next_in_seconds"]));
			let _ = write!(told, ": {why} ({} times, again in {next})", introduction["rounds"]);
		}
		told.push_str(match peer["reached"] == "over_others" {
			true => "; its traffic goes over other routers.\n",
			false => "; and no other way to it.\n",
		});
	}
	told
}

/// What NATs make of our address.
fn nat(nat: &Value) -> String {
	let first = nat["seen"].get(0).filter(|_| nat["behind"] == true);
	let Some(first) = first else { return String::new() };
	let (address, by) = (text(&first["address"]), short(&first["by"]));
	let mut told = format!("behind a NAT: {by} sees this agent as {address}\n");
	if nat["ports"] == "per_destination" {
		told.push_str("it has another port for each neighbour: no direct links to others behind such a NAT\n");
	}
	told
}

/// Destinations.
pub fn routes(answer: &Value) -> String {
	let row = |route: &Value| {
		vec![text(&route["destination"]), text(&route["metric"]), short(&route["via"]), yes(&route["in_use"])]
	};
	let rows: Vec<_> = list(answer).iter().map(row).collect();
	match rows.is_empty() {
		true => "No route to anybody is known.\n".into(),
		false => table(&["DESTINATION", "METRIC", "VIA", "IN USE"], &rows),
	}
}

/// What stands by for a circuit, or that it does so itself.
fn standby(circuit: &Value) -> String {
	let standby = &circuit["standby"];
	match text(&standby["state"]).as_str() {
		_ if circuit["stands_by"] == true => "stands by".into(),
		"shares" => format!("shares {}", standby["shared"]),
		other => other.into(),
	}
}

/// Circuits for which nothing stands by although something is to.
fn alone(circuits: &Value) -> String {
	let alone = list(circuits).iter().filter(|circuit| circuit["standby"]["why"].is_string());
	let line = |circuit: &Value| {
		format!("nothing stands by for {}: {}\n", text(&circuit["destination"]), text(&circuit["standby"]["why"]))
	};
	alone.map(line).collect()
}

/// Circuits that begin here.
pub fn circuits(answer: &Value) -> String {
	let row = |circuit: &Value| {
		vec![
			text(&circuit["destination"]),
			text(&circuit["phase"]),
			text(&circuit["class"]),
			list(&circuit["path"]).iter().map(short).collect::<Vec<_>>().join(" > "),
			mib(&circuit["verified_up"]),
			mib(&circuit["verified_down"]),
			mib(&circuit["grant"]),
			ms(&circuit["rtt_ms"]),
			standby(circuit),
		]
	};
	let rows: Vec<_> = list(answer).iter().map(row).collect();
	match rows.is_empty() {
		true => "No circuit begins here.\n".into(),
		false => {
			let mut told = table(
				&["DESTINATION", "PHASE", "CLASS", "PATH", "UP MIB", "DOWN MIB", "GRANTED MIB", "RTT MS", "STANDBY"],
				&rows,
			);
			told.push_str(&alone(answer));
			for circuit in list(answer).iter().filter(|circuit| circuit["gateway"].is_string()) {
				let _ = writeln!(told, "{} is {}", text(&circuit["destination"]), text(&circuit["gateway"]));
			}
			told
		}
	}
}

/// Where flows leave the mesh.
fn gateways(answer: &Value) -> String {
	let narrow = list(&answer["prefixes"]);
	let mut told = match (&answer["ipv4"], &answer["ipv6"]) {
		(Value::Null, Value::Null) if narrow.is_empty() => return "gateway: none is known yet\n".into(),
		(Value::Null, Value::Null) => "gateway: none to everywhere is known yet".into(),
		(v4, v6) if v4 == v6 => format!("gateway: {}", short(v4)),
		(v4, v6) => format!("gateway: {} for IPv4, {} for IPv6", short(v4), short(v6)),
	};
	if let Some(why) = answer["why"].as_str() {
		let _ = write!(told, ": {why}");
	}
	told.push('\n');
	for one in narrow {
		let _ =
			writeln!(told, "gateway for {}: {}: {}", text(&one["prefix"]), short(&one["gateway"]), text(&one["why"]));
	}
	let failed = list(&answer["candidates"]).iter().filter(|one| one["state"] == "failed" || one["state"] == "shut");
	for one in failed {
		let again = seconds(&one["tried_again_seconds"]);
		let _ =
			writeln!(told, "gateway {} failed: {}; tried again in {again}", short(&one["node_id"]), text(&one["why"]));
	}
	told
}

/// What a router has coming, channel by channel.
pub fn accounts(answer: &Value) -> String {
	let row = |account: &Value| {
		vec![
			text(&account["channel"]),
			tow(&account["owed"]),
			tow(&account["claimed"]),
			tow(&account["unclaimed"]),
			mib(&account["bytes"]),
			text(&account["serving"]),
			tow(&account["served_up_to"]),
		]
	};
	let rows: Vec<_> = list(answer).iter().map(row).collect();
	match rows.is_empty() {
		true => "No channel has paid here.\n".into(),
		false => table(&["CHANNEL", "OWED TOW", "CLAIMED", "UNCLAIMED", "MIB", "SERVICE", "UP TO TOW"], &rows),
	}
}

/// What is spent.
pub fn purse(answer: &Value) -> String {
	if answer.is_null() {
		return "This agent pays for nothing: it has no [payer] with a channel.\n".into();
	}
	let settled =
		if answer["settled"] == true { "every router has its last receipt" } else { "receipts are under way" };
	let mut told = format!(
		"Channel {}: {} TOW signed away, {} TOW left; {settled}.\n",
		answer["channel"],
		tow(&answer["owed"]),
		tow(&answer["left"])
	);
	let rows: Vec<_> =
		list(&answer["routers"]).iter().map(|router| vec![short(&router["node_id"]), tow(&router["owed"])]).collect();
	if !rows.is_empty() {
		told.push_str(&table(&["ROUTER", "SIGNED TOW"], &rows));
	}
	told
}

/// All accounts together.
pub fn earnings(answer: &Value) -> String {
	format!(
		"{} TOW earned from {} channels for {} MiB: {} TOW claimed, {} TOW not claimed yet; {} claims since the start.\n",
		tow(&answer["owed"]),
		answer["channels"],
		mib(&answer["bytes"]),
		tow(&answer["claimed"]),
		tow(&answer["unclaimed"]),
		answer["claims_submitted"],
	)
}

/// Counts by reason.
pub fn drops(answer: &Value) -> String {
	let counts = answer.as_object().into_iter().flatten();
	let rows: Vec<_> = counts.map(|(reason, count)| vec![reason.clone(), count.to_string()]).collect();
	match rows.is_empty() {
		true => "Nothing was dropped.\n".into(),
		false => table(&["REASON", "PACKETS"], &rows),
	}
}

/// Names of routers.
pub fn names(answer: &Value) -> String {
	let row = |entry: &Value| vec![text(&entry["name"]), text(&entry["address"]), short(&entry["node_id"])];
	let rows: Vec<_> = list(&answer["names"]).iter().map(row).collect();
	match rows.is_empty() {
		true => "No names are known: the chain has not answered yet, or has no routers.\n".into(),
		false => {
			let height = text(&answer["finalized_height"]);
			format!("{}At final height {height}.\n", table(&["NAME", "ADDRESS", "NODE"], &rows))
		}
	}
}

/// Everything in short.
pub fn status(answer: &Value) -> String {
	let count = |key: &str| list(&answer[key]).len();
	let chain = &answer["chain"];
	let mut told = format!(
		"mesh-agent {}, node {}\naddress {}, on chain: {}\nneighbours: {}, routes: {}, circuits of its own: {}, of others: {}\n",
		text(&answer["version"]),
		text(&answer["node_id"]),
		text(&answer["address"]),
		text(&answer["registered"]),
		count("links"),
		answer["routes"],
		count("circuits"),
		answer["carried"],
	);
	let _ = match chain["answers"] == true {
		true => {
			writeln!(told, "chain: {} answers, final height {}", text(&chain["endpoint"]), chain["finalized_height"])
		}
		false => writeln!(told, "chain: {} does not answer", text(&chain["endpoint"])),
	};
	told.push_str(&nat(&answer["nat"]));
	told.push_str(&peers(answer));
	told.push_str(&alone(&answer["circuits"]));
	if !answer["purse"].is_null() {
		told.push_str(&purse(&answer["purse"]));
	}
	if !answer["gateways"].is_null() {
		told.push_str(&gateways(&answer["gateways"]));
	}
	let month = &answer["exit"]["month"];
	if !month.is_null() {
		let (used, cap) = (mib(&month["used_bytes"]), mib(&month["cap_bytes"]));
		let full = if month["full"] == true { "; new flows are refused" } else { "" };
		let _ =
			writeln!(told, "let out in {}: {used} of {cap} MiB ({} %){full}", text(&month["month"]), month["percent"]);
	}
	let trouble = list(&answer["trouble"]);
	told.push_str(if trouble.is_empty() { "Nothing is wrong.\n" } else { "\nWhat is wrong:\n" });
	for entry in trouble {
		let about = entry["about"].as_str().map_or(String::new(), |about| format!("{about}: "));
		let _ = writeln!(told, "- {about}{}", text(&entry["message"]));
	}
	told
}

/// One event in one line.
pub fn event(event: &Value) -> String {
	let time = event["time"].as_f64().unwrap_or(0.0);
	let (hours, minutes, seconds) = (time as u64 / 3_600 % 24, time as u64 / 60 % 60, time % 60.0);
	let mut line = format!("{hours:02}:{minutes:02}:{seconds:06.3}  {:15}", text(&event["event"]));
	for (key, value) in event.as_object().into_iter().flatten() {
		if !["event", "number", "time"].contains(&key.as_str()) {
			let shown = match value {
				Value::Array(nodes) => nodes.iter().map(short).collect::<Vec<_>>().join(" > "),
				other => text(other),
			};
			let _ = write!(line, "  {key}: {shown}");
		}
	}
	line.trim_end().to_owned()
}

/// An answer for which there is no table.
pub fn plain(answer: &Value) -> String {
	format!("{answer:#}\n")
}

#[cfg(test)]
mod tests {
	use serde_json::json;

	use super::*;

	#[test]
	fn columns_are_as_wide_as_their_widest_cell() {
		let routes = json!([
			{ "destination": "fd00::1", "metric": 96, "via": "0x0123456789abcdef", "in_use": true },
			{ "destination": "fd00::1234", "metric": 4_096, "via": null, "in_use": false },
		]);
		let expected = "\
DESTINATION  METRIC  VIA         IN USE
fd00::1      96      0x01234567  yes
fd00::1234   4096    -           no
";
		assert_eq!(super::routes(&routes), expected);
	}

	#[test]
	fn an_event_is_one_line_with_all_that_it_has() {
		let told = json!({ "event": "link_down", "number": 7, "time": 3_661.5, "peer": "0xab", "why": "silence" });
		assert_eq!(event(&told), "01:01:01.500  link_down        peer: 0xab  why: silence");
	}

	#[test]
	fn what_stands_by_for_a_circuit_is_told_and_why_nothing_does() {
		let circuit = |to: &str, stands_by: bool, standby: Value| json!({ "destination": to, "stands_by": stands_by, "standby": standby });
		let told = circuits(&json!([
			circuit("fd00::1", false, json!({ "state": "disjoint", "shared": 0, "why": null })),
			circuit("fd00::1", true, Value::Null),
			circuit("fd00::2", false, json!({ "state": "shares", "shared": 2, "why": null })),
			circuit("fd00::3", false, json!({ "state": "none", "shared": null, "why": "there is only one way" })),
			circuit("fd00::4", false, Value::Null),
		]));
		let ends: Vec<_> = told.lines().skip(1).map(|line| line.rsplit("  ").next().unwrap_or("").trim()).collect();
		let expected = ["disjoint", "stands by", "shares 2", "none", "-"];
		assert_eq!(ends[..5], expected, "{told}");
		assert!(status(&json!({ "circuits": [circuit("a", false, json!({ "why": "b" }))] })).contains("by for a: b\n"));
		assert_eq!(ends[5..], ["nothing stands by for fd00::3: there is only one way"], "{told}");
	}

	#[test]
	fn a_peer_without_a_link_and_a_nat_are_told_of_in_words() {
		let introduction = json!({ "rounds": 4, "why": "nothing came through", "next_in_seconds": 16 });
		let peer = json!({ "node": "0x0123456789abcdef", "reached": "over_others", "missing_seconds": 90, "introduction": introduction });
		let behind =
			json!({ "behind": true, "ports": "per_destination", "seen": [{ "by": "0xaa", "address": "192.0.2.1:5" }] });
		let told = status(&json!({ "peers": [peer, { "reached": "direct" }], "nat": behind }));
		for words in [
			"0x01234567",
			"nothing came through (4 times, again in 16 s)",
			"over other routers",
			"0xaa sees this agent as 192.0.2.1:5",
			"another port",
		] {
			assert!(told.contains(words), "{words}: {told}");
		}
		assert_eq!(told.matches("No link to").count(), 1);
	}

	#[test]
	fn answers_that_lack_everything_are_shown_all_the_same() {
		for words in [neighbours, routes, circuits, accounts, purse, earnings, drops, names, status, event] {
			for answer in
				[Value::Null, json!({}), json!([{}]), json!({ "links": [{}], "refused": [{}], "routers": [{}] })]
			{
				assert!(!words(&answer).is_empty());
			}
		}
	}
}
