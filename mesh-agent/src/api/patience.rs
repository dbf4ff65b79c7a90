//! A connection whose other end has to keep moving.

use std::{
	future::Future,
	io,
	pin::Pin,
	task::{ready, Context, Poll, Waker},
	time::Duration,
};

use tokio::{
	io::{AsyncRead, AsyncWrite, ReadBuf},
	time::{sleep, Sleep},
};

/// What is waited for, and how long.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
	/// For a byte from the other end. Whoever listens to events answers pings.
	pub silent: Duration,
	/// For room to write.
	pub stuck: Duration,
}

/// How long a client may say nothing, and how long it may read nothing.
pub const LIMITS: Limits = Limits { silent: Duration::from_secs(60), stuck: Duration::from_secs(20) };

type Timer = Option<Pin<Box<Sleep>>>;

/// A stream that fails when the other end hangs, so that whoever serves it ends. While the other end does not read, nothing is
/// read from it: its requests wait with it, and not in our memory.
pub struct Impatient<S, P> {
	stream: S,
	limits: Limits,
	reads: Timer,
	writes: Timer,
	/// Who wants to read as soon as the other end does.
	reader: Option<Waker>,
	/// The other end hangs: nothing more is tried.
	dead: bool,
	/// Given back with the stream.
	_place: P,
}

impl<S, P> Impatient<S, P> {
	/// Watches a stream. `place` is held for as long as it lives.
	pub fn new(stream: S, limits: Limits, place: P) -> Self {
		Self { stream, limits, reads: None, writes: None, reader: None, dead: false, _place: place }
	}
}

/// Passes on what is ready; what has been pending for too long fails.
fn within<T>(
	polled: Poll<io::Result<T>>,
	timer: &mut Timer,
	most: Duration,
	context: &mut Context<'_>,
) -> Poll<io::Result<T>> {
	if polled.is_ready() {
		*timer = None;
		return polled;
	}
	ready!(timer.get_or_insert_with(|| Box::pin(sleep(most))).as_mut().poll(context));
	Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
}

impl<S: AsyncRead + Unpin, P: Unpin> AsyncRead for Impatient<S, P> {
	fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
		let this = self.get_mut();
		if this.dead {
			return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
		}
		if this.writes.is_some() {
			this.reader = Some(context.waker().clone());
			return Poll::Pending;
		}
		let polled = Pin::new(&mut this.stream).poll_read(context, buffer);
		within(polled, &mut this.reads, this.limits.silent, context)
	}
}

impl<S: AsyncWrite + Unpin, P: Unpin> AsyncWrite for Impatient<S, P> {
	fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
		let this = self.get_mut();
		let polled = Pin::new(&mut this.stream).poll_write(context, bytes);
		let stuck = polled.is_pending();
		let polled = within(polled, &mut this.writes, this.limits.stuck, context);
		this.dead |= stuck && polled.is_ready();
		if polled.is_ready() {
			this.reader.take().into_iter().for_each(Waker::wake);
		}
		polled
	}

	fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
		Pin::new(&mut self.get_mut().stream).poll_flush(context)
	}

	fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
		Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
	}
}
