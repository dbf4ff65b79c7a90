//! Names inside the mesh: `garden.mesh` is the router that the finalised registry calls `garden`, and the 52 characters of a
//! node id in base32 before `.mesh` are that node, whatever any registry says. Both are resolved on this machine: nobody is
//! asked, so nobody learns of it, and it works where there is neither a chain nor the Internet.

pub mod disk;

use std::{collections::BTreeMap, net::Ipv6Addr, time::Duration};

use data_encoding::BASE32_NOPAD_NOCASE;
use towpath_primitives::{NodeId, OverlayAddress, Profile};

use crate::chain::Router;
pub use disk::Keeper;

/// What all these names end with.
pub const ZONE: &str = "mesh";
/// For so long others may keep an answer: the registry is read anew after about a minute.
pub const TTL: Duration = Duration::from_secs(60);
/// Most names that are kept, so that the admin API can show them in one answer; a registry of more routers is cut short, in
/// the order of their ids.
pub const MAX_NAMES: usize = 1 << 14;

/// How an address was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
	/// The finalised registry has this name.
	Registry,
	/// The name is the key.
	Key,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
	/// A node.
	Node(NodeId, By),
	/// It ends with `.mesh`, and nobody has it.
	Nobody,
	/// It is no name of the mesh.
	Elsewhere,
}

/// The names of the finalised registry, as far as they are known here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
	/// The finalised block that they are from; nothing was heard of the chain yet: 0.
	height: u64,
	by_name: BTreeMap<String, NodeId>,
	by_address: BTreeMap<OverlayAddress, String>,
}

/// Whether the chain would take this as a router's name.
fn is_valid(name: &[u8]) -> bool {
	Profile { name: name.to_vec(), ..Profile::default() }.check().is_ok()
}

/// The name that a node has without any registry.
pub fn of_key(node: &NodeId) -> String {
	format!("{}.{ZONE}", BASE32_NOPAD_NOCASE.encode(&node.0).to_ascii_lowercase())
}

/// Whether a host name, without the dot at its end, lies in the mesh: such a name never leaves this machine.
pub fn is_inside(host: &str) -> bool {
	host.rsplit('.').next().is_some_and(|last| last.eq_ignore_ascii_case(ZONE))
}

/// Whether an address belongs to a node of the mesh.
pub fn is_overlay(address: Ipv6Addr) -> bool {
	address.octets()[0] == OverlayAddress::FIRST_BYTE
}

impl Names {
	/// What a registry says.
	pub fn new(height: u64, entries: impl IntoIterator<Item = (Vec<u8>, NodeId)>) -> Self {
		let mut names = Self { height, ..Self::default() };
		for (name, node) in entries.into_iter().filter(|(name, _)| is_valid(name)).take(MAX_NAMES) {
			let (Ok(name), address) = (String::from_utf8(name), node.overlay_address()) else { continue };
			// The chain has each name and each node once. A file may say anything, and both tables have to tell the same.
			if !names.by_name.contains_key(&name) && !names.by_address.contains_key(&address) {
				names.by_address.insert(address, name.clone());
				names.by_name.insert(name, node);
			}
		}
		names
	}

	/// Takes the registry at a finalised block. Whether that is news. A node that is catching up, or one that was restored
	/// from a backup, speaks of a past that this agent already knows better: it takes no name away.
	pub fn learn(&mut self, height: u64, routers: &[Router]) -> bool {
		if height < self.height {
			return false;
		}
		let known = std::mem::take(self);
		*self = Self::new(height, routers.iter().map(|router| (router.profile.name.clone(), router.node)));
		self.by_name != known.by_name
	}

	/// The finalised block that they are from.
	pub fn height(&self) -> u64 {
		self.height
	}

	/// All of them, without `.mesh`.
	pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &NodeId)> {
		self.by_name.iter().map(|(name, node)| (name.as_str(), node))
	}

	/// What a host name stands for, in any case, with or without a dot at its end.
	pub fn resolve(&self, host: &str) -> Found {
		let host = host.strip_suffix('.').unwrap_or(host);
		if !is_inside(host) {
			return Found::Elsewhere;
		}
		let Some((label, _)) = host.rsplit_once('.') else { return Found::Nobody };
		// No router can be registered under so long a name, so the two kinds cannot be mistaken for each other.
		let key = BASE32_NOPAD_NOCASE.decode(label.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
		if let Some(key) = key {
			return Found::Node(NodeId(key), By::Key);
		}
		match self.by_name.get(&label.to_ascii_lowercase()) {
			Some(node) => Found::Node(*node, By::Registry),
			None => Found::Nobody,
		}
	}

	/// The registered name of an address, with `.mesh`.
	pub fn of_address(&self, address: &OverlayAddress) -> Option<String> {
		self.by_address.get(address).map(|name| format!("{name}.{ZONE}"))
	}
}

#[cfg(test)]
mod tests {
	use towpath_primitives::{RouterStatus, RouterView, MAX_NAME_LEN};

	use super::*;

	fn router(byte: u8, name: &str) -> Router {
		RouterView {
			node: NodeId([byte; 32]),
			operator: [byte; 32],
			status: RouterStatus::Active,
			standing_until: None,
			profile: Profile { name: name.into(), ..Profile::default() },
		}
	}

	#[test]
	fn a_registered_name_is_found_in_any_case_and_its_address_leads_back() {
		let mut names = Names::default();
		assert!(names.learn(7, &[router(1, "garden"), router(2, "maple-7")]));
		let garden = NodeId([1; 32]);
		for host in ["garden.mesh", "GARDEN.Mesh", "garden.mesh."] {
			assert_eq!(names.resolve(host), Found::Node(garden, By::Registry), "{host}");
		}
		assert_eq!(names.of_address(&garden.overlay_address()).unwrap(), "garden.mesh");
		for host in ["gardens.mesh", "www.garden.mesh", "mesh", ".mesh", "", "garden..mesh"] {
			assert!(!matches!(names.resolve(host), Found::Node(..)), "{host}");
		}
		for host in ["garden", "garden.mesh.example.org", "garden.smesh", "garden.mesh.."] {
			assert_eq!(names.resolve(host), Found::Elsewhere, "{host}");
		}
	}

	#[test]
	fn a_key_is_a_name_that_fits_a_label_and_needs_no_registry() {
		let node = NodeId([0xa5; 32]);
		let name = of_key(&node);
		let (label, _) = name.split_once('.').unwrap();
		assert!(label.len() <= 63 && label.len() > MAX_NAME_LEN, "{label}");
		assert_eq!(Names::default().resolve(&name.to_uppercase()), Found::Node(node, By::Key));
		// One character less, one more, and one that differs only in bits that the key does not have.
		assert_eq!(Names::default().resolve(&name[1..]), Found::Nobody);
		assert_eq!(Names::default().resolve(&format!("a{name}")), Found::Nobody);
		let last = if label.ends_with('b') { 'c' } else { 'b' };
		assert_eq!(Names::default().resolve(&format!("{}{last}.mesh", &label[..51])), Found::Nobody);
	}

	#[test]
	fn a_name_or_a_node_that_is_there_twice_counts_once_and_addresses_lead_to_names_that_lead_back() {
		let entry = |name: &str, byte| (name.as_bytes().to_vec(), NodeId([byte; 32]));
		let names = Names::new(7, [entry("garden", 1), entry("garden", 2), entry("maple-7", 1), entry("school", 2)]);
		assert_eq!(names, Names::new(7, [entry("garden", 1), entry("school", 2)]));
		let address = |byte| NodeId([byte; 32]).overlay_address();
		assert_eq!(names.of_address(&address(1)).as_deref(), Some("garden.mesh"));
		assert_eq!(names.of_address(&address(2)).as_deref(), Some("school.mesh"));
	}

	#[test]
	fn a_name_goes_when_a_newer_finalised_block_is_without_it_and_not_before() {
		let mut names = Names::default();
		names.learn(100, &[router(1, "garden")]);
		assert!(!names.learn(99, &[]), "a node that is catching up");
		assert!(matches!(names.resolve("garden.mesh"), Found::Node(..)));
		assert!(!names.learn(101, &[router(1, "garden")]), "nothing has changed");
		assert!(names.learn(102, &[router(2, "garden")]), "another router has the name now");
		assert_eq!(names.resolve("garden.mesh"), Found::Node(NodeId([2; 32]), By::Registry));
		assert_eq!(names.of_address(&NodeId([1; 32]).overlay_address()), None);
		assert!(names.learn(103, &[]));
		assert_eq!(names.resolve("garden.mesh"), Found::Nobody);
	}
}
