//! Prometheus metrics over HTTP, on loopback.

use std::{convert::Infallible, rc::Rc, sync::atomic::AtomicU64};

use http_body_util::Full;
use hyper::{body::Bytes, header, server::conn::http1, service::service_fn, Request, Response};
use hyper_util::rt::TokioIo;
use prometheus_client::{
	encoding::{text::encode, EncodeLabelSet},
	metrics::{counter::Counter, family::Family, gauge::Gauge},
	registry::Registry,
};
use tokio::net::TcpListener;

use crate::shell::Shared;

/// What the event loop counts itself; the rest is read from the agent when somebody asks.
#[derive(Default)]
pub struct Metrics {
	/// Claims handed to the chain.
	pub claims: Counter,
	/// Whether the node answers.
	pub chain_up: Gauge,
	/// The newest finalised block.
	pub head: Gauge,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Reason {
	reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Channel {
	channel: u64,
}

fn page(shared: &Shared, metrics: &Metrics) -> String {
	let status = shared.agent.borrow().status();
	let mut registry = Registry::with_prefix("towpath");
	registry.register("claims", "Claims handed to the chain", metrics.claims.clone());
	registry.register("chain_up", "Whether the node answers", metrics.chain_up.clone());
	registry.register("finalised_height", "The newest finalised block", metrics.head.clone());
	let count = |registry: &mut Registry, name: &str, help: &str, value: i64| {
		let gauge: Gauge = Gauge::default();
		gauge.set(value);
		registry.register(name, help, gauge);
	};
	count(&mut registry, "links", "Neighbours", status.links.len() as i64);
	count(&mut registry, "routes", "Destinations that can be reached", status.routes.len() as i64);
	count(&mut registry, "circuits", "Circuits that begin here", status.circuits.len() as i64);
	count(&mut registry, "circuits_carried", "Circuits that pass or end here", status.carried as i64);
	let delivered: Counter<u64, AtomicU64> = Counter::default();
	delivered.inc_by(status.delivered);
	registry.register("delivered_bytes", "Data bytes handed to applications", delivered);
	let drops = Family::<Reason, Counter>::default();
	for (reason, value) in status.drops.iter() {
		drops.get_or_create(&Reason { reason: reason.name() }).inc_by(value);
	}
	registry.register("dropped_packets", "Packets and messages dropped, by reason", drops);
	let unclaimed = Family::<Channel, Gauge<f64, AtomicU64>>::default();
	for (channel, _, amount) in &status.accounts {
		unclaimed.get_or_create(&Channel { channel: *channel }).set(*amount as f64);
	}
	registry.register("unclaimed_base_units", "Owed here and not yet claimed, by channel", unclaimed);
	let at_risk = Gauge::<f64, AtomicU64>::default();
	at_risk.set(shared.agent.borrow().at_risk() as f64);
	registry.register("unsecured_base_units", "Served beyond what is secured, and not paid: it may be lost", at_risk);
	if let Some(limits) = &*shared.limits.borrow() {
		let drops = Family::<Reason, Counter>::default();
		for (reason, value) in limits.drops() {
			drops.get_or_create(&Reason { reason }).inc_by(value);
		}
		registry.register(
			"exit_dropped_packets",
			"What payers sent or were sent and was dropped at the exit, by reason",
			drops,
		);
	}
	if let Some(plain) = &shared.plain {
		let numbers = plain.numbers();
		count(&mut registry, "plain_neighbours", "Neighbours in plain mode", numbers.neighbours as i64);
		count(&mut registry, "plain_routes", "Routes of plain mode in the kernel's table", numbers.routes as i64);
		count(&mut registry, "plain_refused", "Routes that the kernel did not take", numbers.refused as i64);
		let drops = Family::<Reason, Counter>::default();
		for (reason, value) in numbers.drops {
			drops.get_or_create(&Reason { reason }).inc_by(value);
		}
		registry.register("plain_dropped", "What plain neighbours sent and was not used, by reason", drops);
	}
	let mut text = String::new();
	// Writing to a string cannot fail.
	let _ = encode(&mut text, &registry);
	text
}

/// Serves the page until the listener fails.
pub async fn serve(listener: TcpListener, shared: Rc<Shared>, metrics: Rc<Metrics>) {
	while let Ok((stream, _)) = listener.accept().await {
		let (shared, metrics) = (shared.clone(), metrics.clone());
		tokio::task::spawn_local(async move {
			let answer = service_fn(move |request: Request<hyper::body::Incoming>| {
				let known = request.uri().path() == "/metrics";
				let body = if known { page(&shared, &metrics) } else { "see /metrics\n".to_owned() };
				async move {
					let mut response = Response::new(Full::new(Bytes::from(body)));
					let kind = header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
					response.headers_mut().insert(header::CONTENT_TYPE, kind);
					*response.status_mut() = if known { hyper::StatusCode::OK } else { hyper::StatusCode::NOT_FOUND };
					Ok::<_, Infallible>(response)
				}
			});
			// A scraper that hangs up harms nobody.
			let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
		});
	}
}
