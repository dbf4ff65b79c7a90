//! The web origin of the demo: serves bytes that follow from a seed, to one address only; of what is uploaded it tells the hash.

use std::{
	convert::Infallible,
	net::{IpAddr, SocketAddr},
	pin::Pin,
	task::{Context, Poll},
};

use anyhow::Result;
use http_body_util::{BodyExt, Either, Full};
use hyper::{
	body::{Body, Bytes, Frame, Incoming, SizeHint},
	server::conn::http1,
	service::service_fn,
	Method, Request, Response,
};
use hyper_util::rt::TokioIo;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

const CHUNK: u64 = 64 * 1024;

/// Bytes that nobody can compress or guess, and everybody can check: SHA-256 of the seed and a counter, over and over.
pub struct Seeded {
	seed: u64,
	block: u64,
	left: u64,
}

impl Seeded {
	/// So many bytes.
	pub fn new(seed: u64, size: u64) -> Self {
		Self { seed, block: 0, left: size }
	}

	fn chunk(&mut self) -> Option<Vec<u8>> {
		let size = self.left.min(CHUNK);
		self.left -= size;
		let mut bytes = Vec::with_capacity(CHUNK as usize);
		while (bytes.len() as u64) < size {
			// One hash makes a key for 4 KiB: fast enough to serve, and every block differs.
			let mut state = u64::from_le_bytes(
				Sha256::digest([self.seed.to_le_bytes(), self.block.to_le_bytes()].concat())[..8]
					.try_into()
					.expect("eight bytes"),
			) | 1;
			self.block += 1;
			for _ in 0..512 {
				// xorshift64* (Vigna, 2016).
				state ^= state >> 12;
				state ^= state << 25;
				state ^= state >> 27;
				bytes.extend_from_slice(&state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
			}
		}
		bytes.truncate(size as usize);
		(size > 0).then_some(bytes)
	}

	/// The hash of all of them.
	pub fn sha256(mut self) -> String {
		let mut hash = Sha256::new();
		while let Some(chunk) = self.chunk() {
			hash.update(&chunk);
		}
		hex::encode(hash.finalize())
	}
}

impl Body for Seeded {
	type Data = Bytes;
	type Error = Infallible;

	fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
		Poll::Ready(self.chunk().map(|chunk| Ok(Frame::data(Bytes::from(chunk)))))
	}

	fn is_end_stream(&self) -> bool {
		self.left == 0
	}

	fn size_hint(&self) -> SizeHint {
		SizeHint::with_exact(self.left)
	}
}

/// The seed that everybody uses.
pub const SEED: u64 = 0x746f_7770_6174_6821;

/// The hash of what is uploaded.
async fn hash(mut body: Incoming) -> Result<String, hyper::Error> {
	let mut hash = Sha256::new();
	while let Some(frame) = body.frame().await {
		if let Some(bytes) = frame?.data_ref() {
			hash.update(bytes);
		}
	}
	Ok(hex::encode(hash.finalize()))
}

/// Serves until it is killed. Whoever comes from elsewhere than `only` is hung up on.
pub async fn serve(listen: SocketAddr, only: IpAddr, size: u64) -> Result<()> {
	let listener = TcpListener::bind(listen).await?;
	loop {
		let (stream, from) = listener.accept().await?;
		if from.ip() != only {
			eprintln!("refused {from}: not the gateway");
			continue;
		}
		tokio::task::spawn_local(async move {
			let answer = service_fn(move |request: Request<Incoming>| async move {
				Ok::<_, hyper::Error>(Response::new(match *request.method() {
					Method::PUT => Either::Right(Full::new(Bytes::from(hash(request.into_body()).await?))),
					_ => Either::Left(Seeded::new(SEED, size)),
				}))
			});
			let served = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
			eprintln!("served {from}: {served:?}");
		});
	}
}
