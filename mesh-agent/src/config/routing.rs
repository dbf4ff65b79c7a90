//! Which ways an operator prefers.

use serde::Deserialize;
use towpath_proto::routing::Preference;

/// `[routing]`
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Routing {
	/// What counts when ways differ.
	pub prefer: Prefer,
}

/// `routing.prefer`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Prefer {
	/// Low prices.
	Cheap,
	/// Prices and round trips alike.
	#[default]
	Balanced,
	/// Short round trips.
	Fast,
}

impl Prefer {
	/// As in the file.
	pub fn name(self) -> &'static str {
		match self {
			Self::Cheap => "cheap",
			Self::Balanced => "balanced",
			Self::Fast => "fast",
		}
	}

	/// For the core.
	pub fn core(self) -> Preference {
		match self {
			Self::Cheap => Preference::Cheap,
			Self::Balanced => Preference::Balanced,
			Self::Fast => Preference::Fast,
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::config::Config;

	#[test]
	fn an_operator_says_in_a_word_which_ways_are_preferred() {
		let prefer = |text: &str| Config::parse(&format!("folder = \"x\"\n{text}")).unwrap().routing.prefer.core();
		assert_eq!(prefer(""), Preference::Balanced);
		assert_eq!(prefer("[routing]\nprefer = \"cheap\""), Preference::Cheap);
		assert_eq!(prefer("[routing]\nprefer = \"fast\""), Preference::Fast);
		let wrong = Config::parse("folder = \"x\"\n[routing]\nprefer = \"best\"").err().unwrap().to_string();
		assert!(wrong.contains("prefer") && wrong.contains("`cheap`, `balanced`, `fast`"), "{wrong}");
	}
}
