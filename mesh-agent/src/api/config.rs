//! The configuration in force, defaults included, in the form of the file. It has no secrets: of these, it has the files' names.

use serde_json::{json, Value};

use crate::{
	config::{show_tow, Config, Payer, Router},
	peers::Peer,
};

/// All sections and keys.
pub fn view(config: &Config) -> Value {
	json!({
		"folder": config.folder,
		"listen": config.listen.to_string(),
		"peers": config.peers.iter().map(Peer::view).collect::<Vec<_>>(),
		"introductions": config.introductions().name(),
		"discovery": {
			"enabled": config.discovers(),
			"interfaces": config.discovery.interfaces,
			"except": config.discovery.except,
		},
		"pacing": config.pacing,
		"routing": { "prefer": config.routing.prefer.name() },
		"metrics": config.metrics.map(|address| address.to_string()),
		"api": { "listen": config.api.listen.map(|address| address.to_string()) },
		"chain": {
			"endpoint": config.chain.endpoint,
			"witnesses": config.chain.witnesses,
			"genesis": config.chain.genesis.map(|genesis| format!("0x{}", hex::encode(genesis))),
			"account": config.chain.account,
			"draw_rewards": config.chain.draw_rewards,
		},
		"router": config.router.as_ref().map(router),
		"payer": config.payer.as_ref().map(payer),
		"tun": config.tun.as_ref().map(|tun| json!({ "name": tun.name, "ipv4": tun.ipv4 })),
		"services": config.services.iter().map(|service| json!({ "port": service.port, "protocol": service.protocol.name(), "to": service.to.to_string() })).collect::<Vec<_>>(),
		"dns": config.dns.as_ref().map(|dns| json!({ "listen": dns.listen })),
		"plain": config.plain.as_ref().map(|plain| plain.view()),
		"proxy": config.proxy.as_ref().map(|proxy| json!({ "listen": proxy.listen.to_string() })),
	})
}

fn router(router: &Router) -> Value {
	json!({
		"price": show_tow(router.price),
		"unsecured": show_tow(router.unsecured),
		"unsecured_total": show_tow(router.unsecured_total),
		"unsecured_when_cut_off": show_tow(router.unsecured_when_cut_off),
		"free_rate": router.free_rate,
		"loss_allowance": router.loss_allowance,
		"gateway": router.gateway.as_ref().map(|gateway| json!({
			"allow": gateway.allow,
			"source": gateway.source,
			"resolvers": gateway.resolvers,
			"exit": if gateway.by_kernel() { "kernel" } else { "userspace" },
			"routed": gateway.routed,
			"inbound": gateway.inbound,
			"ports": { "allow": gateway.ports.allow, "deny": gateway.ports.denied() },
			"rate": gateway.rate,
			"monthly_cap": gateway.monthly_cap,
		})),
	})
}

fn payer(payer: &Payer) -> Value {
	json!({
		"channel": payer.channel,
		"gateway": payer.gateway.view(),
		"max_price": show_tow(payer.max_price),
		"max_path_price": show_tow(payer.max_path_price),
		"paths": payer.paths,
		"limit": show_tow(payer.limit),
		"low": show_tow(payer.low),
		"top_up": show_tow(payer.top_up),
		"inbound": payer.inbound,
	})
}
