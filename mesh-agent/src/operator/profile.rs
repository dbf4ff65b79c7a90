//! What an operator publishes about a router, as the command line says it.

use std::net::{IpAddr, SocketAddr};

use anyhow::{bail, ensure, Context, Result};
use clap::{Args, ValueEnum};
use serde_json::{json, Value};
use towpath_primitives::{Cell, Endpoint, Prefix, PrefixError, Profile, ProfileError, MAX_ADDRESSES, MAX_PREFIXES};

use crate::config::{parse_tow, price};

/// Clears what is listed on chain.
const NONE: &str = "none";
/// Cells in a degree.
const CELLS: f64 = 20.0;

/// What a router does for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Role {
	/// Carries packets inside the mesh.
	Router,
	/// Lets packets out too.
	Gateway,
}

/// The terms of a new router.
#[derive(Args, Clone, Debug)]
pub struct New {
	/// Unique in the network: 3 to 32 of a–z, 0–9 and '-'.
	#[arg(long)]
	pub name: String,
	/// TOW per MiB: the most that it will ever ask for, like 0.05.
	#[arg(long)]
	pub price: String,
	#[command(flatten)]
	pub more: More,
}

/// The rest of the terms.
#[derive(Args, Clone, Debug, Default)]
pub struct More {
	/// Gateway: lets packets out, to everywhere unless --prefix says where to.
	#[arg(long, value_enum)]
	pub role: Option<Role>,
	/// A range that a gateway offers, like 10.20.0.0/16. May be repeated.
	#[arg(long)]
	pub prefix: Vec<String>,
	/// UDP address where its agent can be reached from outside the mesh, like 203.0.113.9:7700. May be repeated; everybody can
	/// read it. 'none': no address.
	#[arg(long)]
	pub address: Vec<String>,
	/// Latitude and longitude in degrees, like 47.37,8.54. Everybody can read it, to about 5 km. 'none': nowhere.
	#[arg(long, allow_hyphen_values = true)]
	pub location: Option<String>,
}

impl New {
	/// The profile to register.
	pub fn profile(&self) -> Result<Profile> {
		changed(Profile::default(), Some(&self.name), Some(&self.price), &self.more)
	}
}

/// A profile with what the command line changes of it.
pub fn changed(mut profile: Profile, name: Option<&str>, asked: Option<&str>, more: &More) -> Result<Profile> {
	if let Some(name) = name {
		profile.name = name.as_bytes().to_vec();
	}
	if let Some(asked) = asked {
		profile.price = parse_tow(asked).and_then(price).context("--price")?;
	}
	let prefixes: Vec<_> =
		more.prefix.iter().map(|text| parse_prefix(text)).collect::<Result<_>>().context("--prefix")?;
	match more.role {
		Some(Role::Router) => {
			ensure!(prefixes.is_empty(), "--prefix is for gateways: leave it out, or say --role gateway");
			profile.prefixes.clear();
		}
		_ if !prefixes.is_empty() => profile.prefixes = prefixes,
		Some(Role::Gateway) if !profile.is_gateway() => {
			profile.prefixes = vec![Prefix::V4([0; 4], 0), Prefix::V6([0; 16], 0)];
		}
		_ => {}
	}
	match &more.address[..] {
		[] => {}
		[one] if one == NONE => profile.addresses.clear(),
		all => profile.addresses = all.iter().map(|text| parse_address(text)).collect::<Result<_>>()?,
	}
	match more.location.as_deref() {
		None => {}
		Some(NONE) => profile.location = None,
		Some(text) => profile.location = Some(parse_location(text)?),
	}
	check(&profile)?;
	Ok(profile)
}

fn check(profile: &Profile) -> Result<()> {
	profile.check().or_else(|error| match error {
		ProfileError::Name => bail!("--name: 3 to 32 of the letters a to z, digits and '-'"),
		ProfileError::TooManyPrefixes => bail!("--prefix: at most {MAX_PREFIXES}"),
		ProfileError::Prefix(PrefixError::TooLong) => bail!("--prefix: longer than the address"),
		ProfileError::Prefix(PrefixError::HostBits) => bail!("--prefix: bits are set after its length"),
		ProfileError::Prefix(PrefixError::Overlay) => bail!("--prefix: the mesh's own addresses need no gateway"),
		ProfileError::TooManyAddresses => bail!("--address: at most {MAX_ADDRESSES}"),
		ProfileError::Location => bail!("--location: not on this planet"),
	})
}

fn parse_prefix(text: &str) -> Result<Prefix> {
	let example = || format!("{text:?}: a range is an address and a length, like 10.20.0.0/16");
	let (address, length) = text.split_once('/').with_context(example)?;
	let length = length.parse().with_context(example)?;
	Ok(match address.parse().with_context(example)? {
		IpAddr::V4(address) => Prefix::V4(address.octets(), length),
		IpAddr::V6(address) => Prefix::V6(address.octets(), length),
	})
}

fn parse_address(text: &str) -> Result<Endpoint> {
	let address: SocketAddr = text
		.parse()
		.with_context(|| format!("--address {text:?}: an address and a UDP port, like 203.0.113.9:7700"))?;
	ensure!(
		!address.ip().is_unspecified() && address.port() != 0,
		"--address {text}: nobody can reach that; give the address that neighbours see"
	);
	Ok(match address {
		SocketAddr::V4(address) => Endpoint::V4(address.ip().octets(), address.port()),
		SocketAddr::V6(address) => Endpoint::V6(address.ip().octets(), address.port()),
	})
}

fn parse_location(text: &str) -> Result<Cell> {
	let example = || format!("--location {text:?}: latitude and longitude in degrees, like 47.37,8.54");
	let (latitude, longitude) = text.split_once(',').with_context(example)?;
	let degrees = |text: &str, most: f64| -> Result<i16> {
		let degrees: f64 = text.trim().parse().with_context(example)?;
		ensure!((-most..most).contains(&degrees), "--location {text}: from {} to less than {most} degrees", -most);
		// Within 3600 of zero, as the line above says.
		Ok((degrees * CELLS).floor() as i16)
	};
	Ok(Cell { latitude: degrees(latitude, 90.0)?, longitude: degrees(longitude, 180.0)? })
}

fn show_prefix(prefix: &Prefix) -> String {
	match prefix {
		Prefix::V4(address, length) => format!("{}/{length}", IpAddr::from(*address)),
		Prefix::V6(address, length) => format!("{}/{length}", IpAddr::from(*address)),
	}
}

fn show_address(endpoint: &Endpoint) -> String {
	match endpoint {
		Endpoint::V4(address, port) => SocketAddr::from((*address, *port)).to_string(),
		Endpoint::V6(address, port) => SocketAddr::from((*address, *port)).to_string(),
	}
}

/// A profile's name.
pub fn name(profile: &Profile) -> String {
	String::from_utf8_lossy(&profile.name).into_owned()
}

/// For machines.
pub fn to_json(profile: &Profile) -> Value {
	let corner = |cell: &Cell| json!([f64::from(cell.latitude) / CELLS, f64::from(cell.longitude) / CELLS]);
	json!({
		"name": name(profile),
		"price": profile.price.to_string(),
		"role": if profile.is_gateway() { "gateway" } else { "router" },
		"prefixes": profile.prefixes.iter().map(show_prefix).collect::<Vec<_>>(),
		"addresses": profile.addresses.iter().map(show_address).collect::<Vec<_>>(),
		"location": profile.location.as_ref().map(corner),
	})
}

#[cfg(test)]
mod tests {
	use super::*;

	fn new(more: More) -> Result<Profile> {
		New { name: "maple-7".into(), price: "0.05".into(), more }.profile()
	}

	fn texts(all: &[&str]) -> Vec<String> {
		all.iter().map(|text| (*text).to_owned()).collect()
	}

	#[test]
	fn a_router_carries_inside_the_mesh_and_a_gateway_lets_out_to_everywhere_unless_it_says_where() {
		assert!(!new(More::default()).unwrap().is_gateway());
		let all = new(More { role: Some(Role::Gateway), ..More::default() }).unwrap();
		assert_eq!(to_json(&all)["prefixes"], json!(["0.0.0.0/0", "::/0"]));
		let some = new(More { prefix: texts(&["10.20.0.0/16"]), ..More::default() }).unwrap();
		assert_eq!(to_json(&some)["prefixes"], json!(["10.20.0.0/16"]));
		assert_eq!(to_json(&some)["role"], "gateway");
		let mixed = More { role: Some(Role::Router), prefix: texts(&["10.20.0.0/16"]), ..More::default() };
		assert!(new(mixed).unwrap_err().to_string().contains("--role gateway"));
	}

	#[test]
	fn a_location_is_rounded_to_its_cell_and_keeps_its_sign() {
		let place = |text: &str| new(More { location: Some(text.into()), ..More::default() });
		let cell = place("47.37,8.54").unwrap().location.unwrap();
		assert_eq!((cell.latitude, cell.longitude), (947, 170));
		let cell = place("-33.92, -0.01").unwrap().location.unwrap();
		assert_eq!((cell.latitude, cell.longitude), (-679, -1));
		for wrong in ["90,0", "0,180", "47", "here,there", "NaN,0"] {
			assert!(place(wrong).is_err(), "{wrong}");
		}
	}

	#[test]
	fn what_is_wrong_is_named() {
		let error = |more: More| format!("{:#}", new(more).unwrap_err());
		assert!(error(More { prefix: texts(&["10.20.0.1/16"]), ..More::default() }).contains("bits are set"));
		assert!(error(More { prefix: texts(&["10.20.0.0"]), ..More::default() }).contains("10.20.0.0/16"));
		assert!(error(More { prefix: texts(&["fd00::/8"]), ..More::default() }).contains("own addresses"));
		assert!(error(More { address: texts(&["0.0.0.0:7700"]), ..More::default() }).contains("nobody can reach"));
		assert!(error(More { address: texts(&["home"]), ..More::default() }).contains("--address"));
		let named = |name: &str| New { name: name.into(), price: "1".into(), more: More::default() }.profile();
		assert!(named("My Router").unwrap_err().to_string().contains("--name"));
		let priced = New { name: "abc".into(), price: "cheap".into(), more: More::default() };
		assert!(format!("{:#}", priced.profile().unwrap_err()).contains("--price"));
	}

	#[test]
	fn an_update_changes_what_it_names_and_nothing_else() {
		let more = More { address: texts(&["203.0.113.9:7700"]), location: Some("1,1".into()), ..More::default() };
		let before = new(More { role: Some(Role::Gateway), ..more }).unwrap();
		let after = changed(before.clone(), None, Some("0.08"), &More::default()).unwrap();
		assert_eq!(after, Profile { price: 80_000_000_000, ..before.clone() });
		let cleared = More { address: texts(&["none"]), location: Some("none".into()), ..More::default() };
		let after = changed(before.clone(), None, None, &cleared).unwrap();
		assert_eq!(after, Profile { addresses: vec![], location: None, ..before.clone() });
		let inside = More { role: Some(Role::Router), ..More::default() };
		assert!(!changed(before, None, None, &inside).unwrap().is_gateway());
	}
}
