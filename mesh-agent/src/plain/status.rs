//! What operators see of plain mode.

use std::net::Ipv6Addr;

use serde_json::{json, Value};

use super::{forwards, kernel::show_prefix, Plain, FORWARDING};

/// Some numbers, for the metrics.
pub struct Numbers {
	/// Neighbours that are heard.
	pub neighbours: usize,
	/// Routes in the kernel's table.
	pub routes: usize,
	/// Routes that the kernel did not take, so far.
	pub refused: u64,
	/// What was not used, by reason.
	pub drops: Vec<(&'static str, u64)>,
}

impl Plain {
	/// Some numbers.
	pub fn numbers(&self) -> Numbers {
		let (status, kernel) = (self.speaker.borrow().status(), self.kernel.borrow());
		Numbers {
			neighbours: status.neighbours.len(),
			routes: kernel.sizes().0,
			refused: kernel.counts.refused,
			drops: status.drops.iter().map(|(reason, count)| (reason.name(), *count)).collect(),
		}
	}

	/// Everything, for `status`.
	pub fn status(&self) -> Value {
		let status = self.speaker.borrow().status();
		let (ports, kernel) = (self.ports.borrow(), self.kernel.borrow());
		let name = |index: u32| ports.name(index).map_or_else(|| index.to_string(), str::to_owned);
		let address = |bytes: [u8; 16]| Ipv6Addr::from(bytes).to_string();
		let mut drops: serde_json::Map<_, _> =
			status.drops.iter().map(|(reason, count)| (reason.name().to_owned(), json!(count))).collect();
		drops.insert("stranger".into(), self.strangers.get().into());
		drops.insert("unsent".into(), ports.unsent.into());
		let (installed, wanted) = kernel.sizes();
		let forwarding: serde_json::Map<_, _> =
			FORWARDING.iter().map(|(family, path)| (family.to_lowercase(), forwards(path).into())).collect();
		json!({
			"router_id": hex::encode(self.id),
			"forwarding": forwarding,
			"interfaces": status.interfaces.iter().map(|index| name(*index)).collect::<Vec<_>>(),
			"neighbours": status.neighbours.iter().map(|neighbour| json!({
				"interface": name(neighbour.interface),
				"address": address(neighbour.address),
				"cost": neighbour.cost,
				"rxcost": neighbour.rxcost,
				"txcost": neighbour.txcost,
				"rtt_ms": neighbour.rtt.map(|rtt| rtt.as_micros() as f64 / 1000.0),
				"reach": format!("{:04x}", neighbour.reach),
			})).collect::<Vec<_>>(),
			"routes": status.routes.iter().map(|route| json!({
				"prefix": show_prefix(&route.prefix),
				"source": route.source.map(|source| show_prefix(&source)),
				"router_id": hex::encode(route.router),
				"seqno": route.seqno,
				"metric": route.metric,
				"interface": name(route.via.0),
				"neighbour": address(route.via.1),
				"selected": route.selected,
				"feasible": route.feasible,
				"in_kernel": route.selected && kernel.has(&(route.prefix, route.source)),
			})).collect::<Vec<_>>(),
			"announced": status.announced.iter().map(|(prefix, metric)| json!({
				"prefix": show_prefix(prefix),
				"metric": metric,
			})).collect::<Vec<_>>(),
			"kernel": {
				"routes": installed,
				"wanted": wanted,
				"refused": kernel.counts.refused,
				"mended": kernel.counts.mended,
				"swept": kernel.counts.swept,
				"trouble": kernel.counts.trouble,
			},
			"drops": drops,
		})
	}
}
