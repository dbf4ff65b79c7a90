//! Cables that can fall silent: each goes through a bridge in a namespace of its own.

use anyhow::Result;

use super::lab::Lab;

/// Where the bridges are.
pub const SWITCHES: &str = "switches";

/// A port's name tells which cable and which end.
fn port(end: &str, other: &str) -> String {
	format!("{end}-{other}")
}

/// A cable through a bridge; the ends' devices are called after the other end, as those of [`Lab::link`].
pub fn link(lab: &mut Lab, (a, a_address): (&str, &str), (b, b_address): (&str, &str)) -> Result<()> {
	// The laboratory's namespaces forward nothing, and where the kernel has br_netfilter, that is true of bridges as well.
	lab.exec(SWITCHES, "nft", &["add table inet towpath; delete table inet towpath"])?;
	// A device's name has 15 characters at most.
	let bridge = format!("b-{}-{}", &a[..a.len().min(5)], &b[..b.len().min(5)]);
	lab.ip(SWITCHES, &format!("link add {bridge} type bridge forward_delay 0"))?;
	lab.ip(SWITCHES, &format!("link set {bridge} up"))?;
	for (own, other, address) in [(a, b, a_address), (b, a, b_address)] {
		let port = port(&own[..own.len().min(5)], &other[..other.len().min(5)]);
		lab.ip(SWITCHES, &format!("link add {port} type veth peer name to_{other} netns {}", lab.full(own)))?;
		lab.ip(SWITCHES, &format!("link set {port} master {bridge} up"))?;
		lab.ip(own, &format!("address add {address} dev to_{other}"))?;
		lab.ip(own, &format!("link set to_{other} up"))?;
		lab.devices.push((own.into(), format!("to_{other}")));
	}
	Ok(())
}

/// Takes one end out of its bridge, or puts it back. Both ends keep their carrier.
pub fn silence(lab: &Lab, a: &str, b: &str, silent: bool) -> Result<()> {
	let port = port(&a[..a.len().min(5)], &b[..b.len().min(5)]);
	match silent {
		true => lab.ip(SWITCHES, &format!("link set {port} nomaster")),
		false => lab.ip(SWITCHES, &format!("link set {port} master b-{a}-{b}")),
	}
}
