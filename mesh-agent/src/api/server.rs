//! Listens, and hands connections to `jsonrpsee`, each behind a [`Door`].

use std::{
	net::SocketAddr,
	os::unix::fs::{MetadataExt, PermissionsExt},
	path::{Path, PathBuf},
	sync::Arc,
	time::Duration,
};

use anyhow::{Context, Result};
use hyper::{
	body::Incoming,
	header::{HeaderValue, CONTENT_TYPE, WWW_AUTHENTICATE},
	server::conn::http1,
	service::{service_fn, Service},
	Request,
};
use hyper_util::{
	rt::{TokioIo, TokioTimer},
	service::TowerToHyperService,
};
use jsonrpsee::server::{
	stop_channel, BatchRequestConfig, HttpBody, HttpResponse, Methods, PingConfig, Server, ServerHandle, StopHandle,
};
use serde_json::json;
use tokio::{
	io::{AsyncRead, AsyncWrite},
	net::{TcpListener, UnixListener, UnixStream},
	sync::{OwnedSemaphorePermit, Semaphore},
};
use tracing::{info, warn};

use super::{
	desk::{self, Desk},
	door::{self, Door, Refusal},
	patience::{Impatient, LIMITS},
	FULL, MAX_BATCH, MAX_CONNECTIONS, MAX_REQUEST, MAX_RESPONSE, MAX_SUBSCRIPTIONS, MAX_UNREAD, SOCKET,
};

/// A request's head has to be there within this.
const HEAD: Duration = Duration::from_secs(10);
/// Most bytes of a request's head.
const MAX_HEAD: usize = 16 * 1024;
/// Whoever listens to events is asked so often whether it is there.
const PING: Duration = Duration::from_secs(20);
/// The system could not accept a connection: it is asked again after this.
const BREATH: Duration = Duration::from_millis(200);

/// The API, for as long as this is kept. Then the socket is removed, and connections end.
pub struct Api {
	socket: PathBuf,
	handle: ServerHandle,
}

impl Drop for Api {
	fn drop(&mut self) {
		let _ = std::fs::remove_file(&self.socket);
		let _ = self.handle.stop();
	}
}

/// What serves one way in.
#[derive(Clone)]
struct Entrance {
	door: Door,
	methods: Methods,
	stop: StopHandle,
	places: Arc<Semaphore>,
}

/// Begins to serve an agent.
pub async fn start(desk: Desk) -> Result<Api> {
	let (folder, port) = (desk.config().folder.clone(), desk.config().api.listen);
	let socket = bind(&folder.join(SOCKET))?;
	listen(&folder, socket, port, desk::serve(desk)?).await
}

/// Serves methods on a folder's socket, and on a port if there is to be one.
pub(super) async fn listen(
	folder: &Path,
	(listener, owner): (UnixListener, u32),
	port: Option<SocketAddr>,
	methods: Methods,
) -> Result<Api> {
	let socket = folder.join(SOCKET);
	let (stop, handle) = stop_channel();
	let places = Arc::new(Semaphore::new(MAX_CONNECTIONS.0));
	let entrance = Entrance { door: Door::Socket, methods, stop, places };
	if let Some(address) = port {
		let listener =
			TcpListener::bind(address).await.with_context(|| format!("api.listen: cannot listen on {address}"))?;
		let address = listener.local_addr()?;
		let door = Door::Loopback { address, token: door::token(folder)? };
		info!(%address, "the admin API listens; its token is in {}", folder.join(super::TOKEN).display());
		let places = Arc::new(Semaphore::new(MAX_CONNECTIONS.1));
		tokio::task::spawn_local(accept_tcp(listener, Entrance { door, places, ..entrance.clone() }));
	}
	tokio::task::spawn_local(accept(listener, owner, entrance));
	Ok(Api { socket, handle })
}

/// The socket, for its owner alone, and who that is.
pub(super) fn bind(path: &Path) -> Result<(UnixListener, u32)> {
	// The spool's lock says that no other agent uses this folder: what lies here is left over.
	let _ = std::fs::remove_file(path);
	let listener = UnixListener::bind(path)
		.with_context(|| format!("cannot listen on {} (is the folder's name too long?)", path.display()))?;
	std::fs::set_permissions(path, PermissionsExt::from_mode(0o600))?;
	Ok((listener, std::fs::metadata(path)?.uid()))
}

async fn accept(listener: UnixListener, owner: u32, entrance: Entrance) {
	// Between making the socket and closing it to others, somebody may have been quick.
	let is_owner = |stream: &UnixStream| stream.peer_cred().is_ok_and(|peer| [owner, 0].contains(&peer.uid()));
	loop {
		match listener.accept().await {
			Ok((stream, _)) if is_owner(&stream) => entrance.welcome(stream, |stream| {
				let _ = stream.try_write(no_place().as_bytes());
			}),
			Ok(_) => {}
			Err(error) => exhausted(error).await,
		}
	}
}

async fn accept_tcp(listener: TcpListener, entrance: Entrance) {
	loop {
		match listener.accept().await {
			Ok((stream, _)) => entrance.welcome(stream, |stream| {
				let _ = stream.try_write(no_place().as_bytes());
			}),
			Err(error) => exhausted(error).await,
		}
	}
}

async fn exhausted(error: std::io::Error) {
	warn!("the admin API cannot accept a connection: {error}");
	tokio::time::sleep(BREATH).await;
}

/// What a caller reads for whom there is no place.
fn no_place() -> String {
	let body = failure(FULL, "all connections are taken: close some, or try again later");
	let head = "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-type: application/json";
	format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn failure(code: i32, message: &str) -> String {
	json!({ "jsonrpc": "2.0", "id": null, "error": { "code": code, "message": message } }).to_string()
}

fn refused(refusal: Refusal) -> HttpResponse {
	let mut response = HttpResponse::new(HttpBody::from(failure(refusal.code, refusal.message)));
	*response.status_mut() = refusal.status;
	let headers = response.headers_mut();
	headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
	headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
	response
}

impl Entrance {
	/// Serves a connection if there is a place for it.
	fn welcome<S>(&self, stream: S, full: impl FnOnce(&S))
	where
		S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
	{
		match self.places.clone().try_acquire_owned() {
			Ok(place) => drop(tokio::task::spawn_local(self.clone().serve(stream, place))),
			Err(_) => full(&stream),
		}
	}

	async fn serve<S>(self, stream: S, place: OwnedSemaphorePermit)
	where
		S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
	{
		let builder = Server::builder()
			.max_connections(MAX_CONNECTIONS.0 as u32)
			.max_request_body_size(MAX_REQUEST)
			.max_response_body_size(MAX_RESPONSE)
			.max_subscriptions_per_connection(MAX_SUBSCRIPTIONS)
			.set_batch_request_config(BatchRequestConfig::Limit(MAX_BATCH))
			.set_message_buffer_capacity(MAX_UNREAD)
			.enable_ws_ping(PingConfig::new().ping_interval(PING).inactive_limit(LIMITS.silent))
			.to_service_builder();
		let service = TowerToHyperService::new(builder.build(self.methods, self.stop.clone()));
		let door = self.door;
		let answer = service_fn(move |request: Request<Incoming>| {
			let admitted = door.admits(&request);
			let service = service.clone();
			async move {
				match admitted {
					Ok(()) => service.call(request).await,
					Err(refusal) => Ok(refused(refusal)),
				}
			}
		});
		// The place is the stream's: a WebSocket outlives this task.
		let io = TokioIo::new(Impatient::new(stream, LIMITS, place));
		let connection = http1::Builder::new()
			.timer(TokioTimer::new())
			.header_read_timeout(HEAD)
			.max_buf_size(MAX_HEAD)
			.serve_connection(io, answer)
			.with_upgrades();
		// A caller that hangs up harms nobody.
		tokio::select! {
			_ = connection => {}
			() = self.stop.shutdown() => {}
		}
	}
}
