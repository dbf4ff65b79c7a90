//! The methods, and the task that answers them in the agent's thread.

use std::{rc::Rc, sync::Arc};

use anyhow::Result;
use jsonrpsee::{
	core::server::{Methods, PendingSubscriptionSink, RpcModule, SubscriptionMessage},
	types::{error::INTERNAL_ERROR_CODE, ErrorObjectOwned},
};
use serde_json::{json, Value};
use tokio::sync::{broadcast, mpsc, oneshot};

use super::{config, earnings, events, names, views, watch, API, MAX_WAITING, REFUSED};
use crate::{config::Config, logging, metrics::Metrics, shell::Shared};

/// What one can ask for.
pub struct Method {
	/// Its name.
	pub name: &'static str,
	/// What it gives or does.
	pub about: &'static str,
	answer: fn(&Desk, Value) -> Answer,
}

pub(super) type Answer = Result<Value, String>;

/// All of them, in the order of `docs/agent.md`; [`events::SUBSCRIBE`] besides.
pub const METHODS: [Method; 17] = [
	Method { name: "methods", about: "all methods, and what each is for", answer: |_, _| Ok(methods()) },
	Method { name: "version", about: "the agent's version and the API's", answer: |_, _| Ok(version()) },
	Method { name: "status", about: "everything in short, and what is wrong", answer: |desk, _| Ok(desk.status()) },
	Method {
		name: "neighbours",
		about: "links, and who was refused and why",
		answer: |desk, _| Ok(views::neighbours(desk)),
	},
	Method { name: "routes", about: "destinations that can be reached", answer: |desk, _| Ok(views::routes(desk)) },
	Method { name: "circuits", about: "circuits that begin here", answer: |desk, _| Ok(views::circuits(desk)) },
	Method {
		name: "accounts",
		about: "what channels owe here, as a router",
		answer: |desk, _| Ok(views::accounts(desk)),
	},
	Method { name: "purse", about: "what is spent, as a payer", answer: |desk, _| Ok(views::purse(&desk.shared)) },
	Method { name: "earnings", about: "all accounts together, and claims", answer: |desk, _| Ok(earnings::view(desk)) },
	Method { name: "drops", about: "what was dropped, by reason", answer: |desk, _| Ok(views::drops(&desk.shared)) },
	Method {
		name: "names",
		about: "routers' names, as the finalised registry has them",
		answer: |desk, _| Ok(names::view(desk)),
	},
	Method { name: "resolve", about: "what a name that ends with .mesh stands for", answer: names::resolve },
	Method { name: "config", about: "the configuration in force", answer: |desk, _| Ok(config::view(&desk.config)) },
	Method { name: "log_level", about: "which messages are logged", answer: |_, _| Ok(log_level()) },
	Method {
		name: "set_log_level",
		about: "log more or less until the next start",
		answer: |_, asked| set_log_level(asked),
	},
	Method { name: "finish", about: "sign last receipts, grant nothing more", answer: |desk, _| Ok(desk.finish()) },
	Method { name: "claim", about: "claim everything that is unclaimed", answer: |desk, _| Ok(desk.claim()) },
];

/// Methods that take parameters; to all others only an empty list or object may be given.
pub(super) const TAKES: [&str; 2] = ["set_log_level", "resolve"];

/// What the answers are made of.
pub struct Desk {
	pub(super) shared: Rc<Shared>,
	pub(super) config: Config,
	pub(super) metrics: Rc<Metrics>,
}

/// A request on its way to the agent's thread.
struct Ask {
	method: &'static Method,
	parameters: Value,
	answer: oneshot::Sender<Answer>,
}

impl Desk {
	/// A desk at this agent.
	pub fn new(shared: Rc<Shared>, config: Config, metrics: Rc<Metrics>) -> Self {
		Self { shared, config, metrics }
	}

	/// The configuration in force.
	pub fn config(&self) -> &Config {
		&self.config
	}

	fn status(&self) -> Value {
		views::status(self)
	}

	fn finish(&self) -> Value {
		self.shared.agent.borrow_mut().finish_paying(self.shared.now());
		self.shared.work.notify_one();
		json!({ "purse": views::purse(&self.shared) })
	}

	fn claim(&self) -> Value {
		self.shared.agent.borrow_mut().claim_all(self.shared.now());
		self.shared.work.notify_one();
		json!({ "accounts": views::accounts(self) })
	}
}

fn methods() -> Value {
	let all = METHODS.iter().map(|method| (method.name, method.about));
	let all =
		all.chain([(events::SUBSCRIBE, "what happens, as it happens (WebSocket)"), (events::END, "no more of it")]);
	all.map(|(name, about)| json!({ "name": name, "about": about })).collect()
}

fn version() -> Value {
	json!({ "version": env!("CARGO_PKG_VERSION"), "api": API })
}

fn log_level() -> Value {
	json!({ "level": logging::level() })
}

/// The one parameter of a method, which is a text.
pub(super) fn only<'a>(parameters: &'a Value, name: &str) -> Option<&'a str> {
	let one = match parameters {
		Value::Object(named) if named.len() == 1 => named.get(name),
		Value::Array(list) if list.len() == 1 => list.first(),
		_ => None,
	};
	one.and_then(Value::as_str)
}

fn set_log_level(parameters: Value) -> Answer {
	let level = only(&parameters, "level").ok_or("give one parameter: {\"level\": \"debug\"}")?;
	logging::set(level)?;
	Ok(log_level())
}

fn is_empty(parameters: &Value) -> bool {
	match parameters {
		Value::Null => true,
		Value::Array(list) => list.is_empty(),
		Value::Object(named) => named.is_empty(),
		_ => false,
	}
}

/// The methods, and behind them a task of this thread that answers.
pub fn serve(desk: Desk) -> Result<Methods> {
	let (asks, mut asked) = mpsc::channel::<Ask>(MAX_WAITING);
	let mut module = RpcModule::new((asks, desk.shared.news.ring()));
	for method in &METHODS {
		module.register_async_method(method.name, move |parameters, context, _| async move {
			let parameters = match parameters.as_str() {
				Some(_) => parameters.parse::<Value>()?,
				None => Value::Null,
			};
			ask(&context.0, method, parameters).await
		})?;
	}
	module.register_subscription(events::SUBSCRIBE, events::NOTE, events::END, |_, pending, context, _| {
		follow(pending, context)
	})?;
	tokio::task::spawn_local(watch::watch(desk.shared.clone()));
	tokio::task::spawn_local(async move {
		while let Some(ask) = asked.recv().await {
			// Whoever does not wait for the answer has hung up.
			let _ = ask.answer.send((ask.method.answer)(&desk, ask.parameters));
		}
	});
	Ok(module.into())
}

async fn ask(asks: &mpsc::Sender<Ask>, method: &'static Method, parameters: Value) -> Result<Value, ErrorObjectOwned> {
	let refused = |message: String| ErrorObjectOwned::owned(REFUSED, message, None::<()>);
	if !TAKES.contains(&method.name) && !is_empty(&parameters) {
		return Err(refused(format!("{} takes no parameters: leave them out", method.name)));
	}
	let (answer, answered) = oneshot::channel();
	let sent = asks.send(Ask { method, parameters, answer }).await;
	let ends = || ErrorObjectOwned::owned(INTERNAL_ERROR_CODE, "the agent is ending", None::<()>);
	sent.map_err(|_| ends())?;
	answered.await.map_err(|_| ends())?.map_err(refused)
}

type Context = (mpsc::Sender<Ask>, broadcast::Sender<Arc<Value>>);

/// Tells one subscriber of everything, at its own pace. What it is too slow for is counted, and it is told how much that was.
async fn follow(pending: PendingSubscriptionSink, context: Arc<Context>) {
	let mut ring = context.1.subscribe();
	let Ok(sink) = pending.accept().await else { return };
	loop {
		let event = tokio::select! {
			event = ring.recv() => event,
			() = sink.closed() => return,
		};
		let event = match event {
			Ok(event) => event,
			Err(broadcast::error::RecvError::Lagged(count)) => Arc::new(events::missed(count)),
			Err(broadcast::error::RecvError::Closed) => return,
		};
		let Ok(message) = SubscriptionMessage::from_json(&*event) else { continue };
		if sink.send(message).await.is_err() {
			return;
		}
	}
}
