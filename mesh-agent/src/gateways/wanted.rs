//! `payer.gateway`: one node id, several, "auto", or "auto" and some.

use std::fmt;

use serde::{
	de::{Error, SeqAccess, Visitor},
	Deserialize, Deserializer,
};
use serde_json::{json, Value};
use towpath_primitives::NodeId;

use crate::config::bytes32;

/// More than so many would not be told apart by anybody.
const MAX_NAMED: usize = 16;
/// In the file.
const AUTO: &str = "auto";

/// Which gateways may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
	/// These.
	Named(Vec<NodeId>),
	/// Every active router that is registered as a gateway to everywhere, or to addresses that no provider has.
	Auto,
	/// All these, and what the named ones besides are registered for.
	Both(Vec<NodeId>),
}

impl Wanted {
	/// As in the file.
	pub fn view(&self) -> Value {
		match self {
			Self::Auto => AUTO.into(),
			Self::Named(nodes) if nodes.len() == 1 => nodes[0].to_string().into(),
			Self::Named(nodes) => json!(nodes.iter().map(ToString::to_string).collect::<Vec<_>>()),
			Self::Both(nodes) => {
				let nodes = nodes.iter().map(ToString::to_string);
				json!([AUTO.to_owned()].into_iter().chain(nodes).collect::<Vec<_>>())
			}
		}
	}
}

struct Reader;

fn node<E: Error>(text: &str) -> Result<NodeId, E> {
	bytes32(text).map(NodeId).map_err(E::custom)
}

impl<'de> Visitor<'de> for Reader {
	type Value = Wanted;

	fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
		out.write_str("a gateway's node id (0x and 64 digits), a list of node ids, or \"auto\"")
	}

	fn visit_str<E: Error>(self, text: &str) -> Result<Wanted, E> {
		match text {
			AUTO => Ok(Wanted::Auto),
			text => Ok(Wanted::Named(vec![node(text)?])),
		}
	}

	fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Wanted, A::Error> {
		let (mut nodes, mut auto) = (Vec::new(), false);
		while let Some(text) = list.next_element::<String>()? {
			if text == AUTO {
				auto = true;
				continue;
			}
			let next = node(&text)?;
			if nodes.contains(&next) {
				return Err(A::Error::custom(format!("{text} is listed twice")));
			}
			nodes.push(next);
		}
		if nodes.is_empty() || nodes.len() > MAX_NAMED {
			return Err(A::Error::custom(format!("name 1 to {MAX_NAMED} gateways, or say \"auto\"")));
		}
		Ok(if auto { Wanted::Both(nodes) } else { Wanted::Named(nodes) })
	}
}

impl<'de> Deserialize<'de> for Wanted {
	fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
		deserializer.deserialize_any(Reader)
	}
}
