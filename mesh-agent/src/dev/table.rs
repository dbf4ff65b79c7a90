//! The live table, on standard error.

use serde_json::Value;

use super::network::Network;
use crate::config::show_tow;

fn amount(value: &Value) -> String {
	value.as_str().and_then(|text| text.parse().ok()).map_or("-".into(), show_tow)
}

fn short(text: &str) -> String {
	text.trim_start_matches("0x").chars().take(8).collect()
}

/// Prints where everything stands.
pub async fn print(network: &Network, height: u64, downloaded: u64, size: u64) {
	let mut lines = vec![format!(
		"── finalised height {height} · downloaded {:.1} of {} MiB ──",
		downloaded as f64 / f64::from(1 << 20),
		size
	)];
	if let Ok(status) = network.household_status().await {
		for circuit in status["circuits"].as_array().into_iter().flatten() {
			let path: Vec<_> = circuit["path"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
			let path: Vec<_> = path.into_iter().map(|id| name_of(network, id)).collect();
			lines.push(format!(
				"  circuit household → {}  {}  verified {:.1} MiB  granted ahead {:.1} MiB  rtt {:.1} ms",
				path.join(" → "),
				circuit["phase"].as_str().unwrap_or("-"),
				(circuit["verified_down"].as_u64().unwrap_or(0) + circuit["verified_up"].as_u64().unwrap_or(0)) as f64
					/ f64::from(1 << 20),
				circuit["grant"].as_u64().unwrap_or(0) as f64 / f64::from(1 << 20),
				circuit["rtt_ms"].as_f64().unwrap_or(0.0),
			));
		}
		lines.push(format!("  signed away {} TOW", amount(&status["purse"]["owed"])));
	}
	for (index, router) in network.routers.iter().enumerate() {
		match network.status(index).await {
			Ok(status) => {
				let links = status["links"].as_array().map_or(0, Vec::len);
				let account = &status["accounts"][0];
				lines.push(format!(
					"  {} {}  links {links}  circuits {}  owed {} TOW  unclaimed {} TOW",
					router.name,
					short(&router.id.to_string()),
					status["carried"],
					amount(&account["owed"]),
					amount(&account["unclaimed"]),
				));
			}
			Err(_) => lines.push(format!("  {} {}  is down", router.name, short(&router.id.to_string()))),
		}
	}
	eprintln!("{}", lines.join("\n"));
}

fn name_of(network: &Network, id: &str) -> String {
	network
		.routers
		.iter()
		.find(|router| router.id.to_string() == id)
		.map_or_else(|| short(id), |router| router.name.clone())
}

/// The ledger, for people.
pub fn ledger(ledger: &Value) -> String {
	let mut lines = vec![format!("The ledger, from the chain finalised at height {}:", ledger["finalized_height"])];
	lines.push(format!(
		"  {:10} {:>14} {:>14} {:>14} {:>14} {:>14} {:>14}",
		"router", "relayed MiB", "paid for it", "to operator", "subsidy", "validator pay", "fees"
	));
	for router in ledger["routers"].as_array().into_iter().flatten() {
		let gateway = if router["gateway"] == true { "*" } else { "" };
		lines.push(format!(
			"  {:10} {:>14.2} {:>14} {:>14} {:>14} {:>14} {:>14}",
			format!("{}{gateway}", short(router["node_id"].as_str().unwrap_or("-"))),
			router["relayed_bytes"].as_u64().unwrap_or(0) as f64 / f64::from(1 << 20),
			amount(&router["gross"]),
			amount(&router["claimed"]),
			amount(&router["subsidy"]),
			amount(&router["validator_pay"]),
			amount(&router["fees"]),
		));
	}
	let payer = &ledger["payer"];
	lines.push(format!(
		"  the payer deposited {} and reserved {}, spent {}, can get back {}, and paid {} in transaction fees",
		amount(&payer["deposit"]),
		amount(&payer["reserve"]),
		amount(&payer["spent"]),
		amount(&payer["refundable"]),
		amount(&payer["fees"]),
	));
	let issuance = &ledger["issuance"];
	lines.push(format!(
		"  of the payments {} were burned and {} went to the treasury; minted {}, issuance now {}",
		amount(&ledger["burned"]),
		amount(&ledger["treasury"]),
		amount(&issuance["minted"]),
		amount(&issuance["now"]),
	));
	lines.push("  amounts in TOW; * is the gateway".into());
	lines.join("\n")
}
