//! What a configuration cannot mean, though it can be read: each error names the key, and says what would do.

use std::{
	collections::BTreeSet,
	net::{IpAddr, SocketAddr},
};

use anyhow::{bail, Context, Result};
use towpath_proto::agent::MAX_PATHS;

use super::{price, Chain, Config, Router, Tun};
use crate::{
	chain::MAX_WITNESSES,
	exit::{Routed, DEVICE},
	peers,
	stack::payer::PORTS,
};

/// All sections.
pub(super) fn all(config: &Config) -> Result<()> {
	peers::check(&config.peers, None).map_err(anyhow::Error::msg)?;
	if config.tun.is_some() && config.proxy.is_some() {
		bail!("[tun] and [proxy]: choose one; the proxy is for machines where no TUN device may be opened");
	}
	if config.proxy.is_some() && config.payer.is_none() {
		bail!("[proxy] needs [payer] with the gateway that its connections leave by");
	}
	chain(&config.chain)?;
	services(config)?;
	if let Some(given) = &config.router {
		router(given, config.tun.as_ref())?;
	}
	if let Some(payer) = &config.payer {
		price(payer.max_price).context("payer.max_price")?;
		price(payer.max_path_price).context("payer.max_path_price")?;
		if payer.inbound && config.tun.is_none() {
			bail!("payer.inbound needs [tun]: a proxy has no address that anybody could reach");
		}
		if !(1..=MAX_PATHS).contains(&payer.paths) {
			let given = payer.paths;
			bail!(
				"payer.paths = {given}: 1, or {MAX_PATHS} for a second circuit that stands by; more are not supported"
			);
		}
	}
	if let Some(plain) = &config.plain {
		plain.check()?;
		let own = config.tun.as_ref().filter(|tun| plain.names(&tun.name));
		if let Some(tun) = own {
			bail!("plain.interfaces: {} is our own TUN device, no link to neighbours; name others", tun.name);
		}
	}
	listeners(config)
}

fn chain(chain: &Chain) -> Result<()> {
	let witnesses = &chain.witnesses;
	if witnesses.len() > MAX_WITNESSES {
		bail!("chain.witnesses: at most {MAX_WITNESSES}: each is asked about every block");
	}
	for (place, url) in witnesses.iter().enumerate() {
		if !["ws://", "wss://"].iter().any(|scheme| url.starts_with(scheme)) {
			bail!("chain.witnesses: {url:?}: give a node's RPC, like ws://192.0.2.7:9944");
		}
		if *url == chain.endpoint || witnesses[..place].contains(url) {
			bail!("chain.witnesses: {url:?}: a witness is another node than chain.endpoint and the other witnesses");
		}
	}
	Ok(())
}

fn services(config: &Config) -> Result<()> {
	let mut ports = BTreeSet::new();
	for service in &config.services {
		if config.tun.is_some() {
			bail!("[tun] and [[services]]: choose one; with TUN, let the service listen on the overlay address");
		}
		if service.port == 0 || service.port >= PORTS.start || service.port == 53 {
			let most = PORTS.start - 1;
			bail!("services.port = {}: 1 to {most}, and not 53, which is the gateway's for names", service.port);
		}
		if service.to.port() == 0 || !ports.insert((service.protocol, service.port)) {
			bail!(
				"services.port = {}: once for each protocol, and with a port in `to`, like 127.0.0.1:8080",
				service.port
			);
		}
	}
	Ok(())
}

/// What this machine has to bear, where that can be seen before anything is started.
pub(super) fn machine(config: &Config) -> Result<()> {
	let gateway = config.router.as_ref().and_then(|router| router.gateway.as_ref());
	gateway.map_or(Ok(()), |gateway| Routed::read(gateway)?.check_machine())
}

fn router(router: &Router, tun: Option<&Tun>) -> Result<()> {
	if !(0.0..=10.0).contains(&router.loss_allowance) {
		bail!("router.loss_allowance = {}: at most 10 percent", router.loss_allowance);
	}
	price(router.price).context("router.price")?;
	let Some(gateway) = &router.gateway else { return Ok(()) };
	for range in &gateway.allow {
		range.parse::<crate::policy::Range>().context("router.gateway.allow")?;
	}
	gateway.ports.read()?;
	if gateway.by_kernel() && tun.is_some_and(|tun| tun.name == DEVICE) {
		bail!(
			"tun.name = {DEVICE:?}: that is the exit's device (router.gateway.exit = \"kernel\"); choose another name"
		);
	}
	let routed = Routed::read(gateway)?;
	let inbound = gateway.reachable().context("router.gateway.inbound")?;
	if !inbound.is_empty() && routed == Routed::default() {
		bail!("router.gateway.inbound needs router.gateway.routed: behind a NAT nobody has an address of their own");
	}
	if inbound.iter().collect::<BTreeSet<_>>().len() < inbound.len() {
		bail!("router.gateway.inbound: a node is listed twice");
	}
	for (name, limit) in [("rate", gateway.rate), ("monthly_cap", gateway.monthly_cap)] {
		if limit == Some(0) {
			bail!(
				"router.gateway.{name} = 0 would let nothing out; leave [router.gateway] out for that, or give bytes"
			);
		}
	}
	Ok(())
}

/// What this machine's programs use is not for others.
fn listeners(config: &Config) -> Result<()> {
	for listen in config.dns.iter().flat_map(|dns| &dns.listen) {
		let overlay = matches!(listen.ip(), IpAddr::V6(v6) if crate::names::is_overlay(v6));
		let reached = listen.ip().is_loopback() || (overlay && config.tun.is_some());
		if !reached {
			bail!("dns.listen: {listen}: it is for this machine; listen on loopback, like 127.0.0.1:5354, or with [tun] on the overlay address");
		}
	}
	let local = |address: &SocketAddr| address.ip().is_loopback();
	let proxy = config.proxy.as_ref().map(|proxy| proxy.listen);
	for (name, address) in [("metrics", config.metrics), ("api.listen", config.api.listen), ("proxy.listen", proxy)] {
		if address.is_some_and(|address| !local(&address)) {
			bail!("{name}: anybody could use it; listen on loopback, like 127.0.0.1");
		}
	}
	Ok(())
}
