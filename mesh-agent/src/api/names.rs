//! Names of the mesh, as the agent knows them.

use serde_json::{json, Value};
use towpath_primitives::NodeId;

use super::desk::{only, Answer, Desk};
use crate::names::{of_key, By, Found, ZONE};

fn entry(name: String, node: &NodeId) -> Value {
	json!({ "name": name, "node_id": node.to_string(), "address": node.overlay_address().to_string() })
}

/// All of the registry.
pub fn view(desk: &Desk) -> Value {
	let names = desk.shared.names.borrow();
	let all: Vec<_> = names.iter().map(|(name, node)| entry(format!("{name}.{ZONE}"), node)).collect();
	json!({ "finalized_height": names.height(), "names": all })
}

/// One name.
pub fn resolve(desk: &Desk, parameters: Value) -> Answer {
	let name = only(&parameters, "name").ok_or("give one parameter: {\"name\": \"garden.mesh\"}")?;
	let names = desk.shared.names.borrow();
	match names.resolve(name) {
		Found::Node(node, by) => {
			let mut answer = entry(name.to_owned(), &node);
			answer["by"] = match by {
				By::Registry => "registry".into(),
				By::Key => "key".into(),
			};
			answer["name_of_key"] = of_key(&node).into();
			Ok(answer)
		}
		Found::Nobody => {
			Err(format!("{name}: no router is registered under this name, at final height {}", names.height()))
		}
		Found::Elsewhere => Err(format!("{name} is no name of the mesh: these end with .{ZONE}")),
	}
}
