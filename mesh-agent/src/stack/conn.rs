//! One connection: an operating-system socket on one side, a socket of the stack on the other, and no buffer between them.

use std::{io::ErrorKind, pin::Pin, rc::Rc, task::Context, time::Duration};

use smoltcp::{iface::SocketHandle, socket::tcp};
use tokio::{io::AsyncWrite, net::TcpStream, sync::oneshot};

use crate::{
	exit::{Seat, Valve, Way},
	place::Place,
};

/// Most bytes that are taken from the outside at once where that is limited.
const PIECE: usize = 16 * 1024;

/// What one attempt to move bytes did.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Step {
	pub(super) moved: bool,
	pub(super) done: bool,
}

/// A connection that waits for the other side's word.
pub(super) struct Opening {
	/// Written to the application when the other side accepts, before anything else.
	pub(super) greeting: Vec<u8>,
	/// Gets the stream back when it does not.
	pub(super) refused: oneshot::Sender<TcpStream>,
	/// The application's, for as long as the connection lasts. What the agent wants for itself has none.
	pub(super) place: Option<Rc<Place>>,
}

/// A connection.
pub(super) struct Conn {
	handle: SocketHandle,
	stream: Option<TcpStream>,
	opening: Option<Opening>,
	greeting: Vec<u8>,
	/// The application has sent everything.
	ended: bool,
	/// The application was told that nothing more comes.
	shut: bool,
	/// What it takes of a gateway or a service.
	_seat: Option<Seat>,
	/// What it takes of the proxy.
	_place: Option<Rc<Place>>,
}

/// The application's socket is broken.
struct Broken;

impl Conn {
	pub(super) fn new(handle: SocketHandle, stream: TcpStream, opening: Option<Opening>) -> Self {
		let _place = opening.as_ref().and_then(|opening| opening.place.clone());
		let (greeting, stream) = (Vec::new(), Some(stream));
		Self { handle, stream, opening, greeting, ended: false, shut: false, _seat: None, _place }
	}

	/// Keeps its place for as long as it lasts.
	pub(super) fn seated(self, seat: Seat) -> Self {
		Self { _seat: Some(seat), ..self }
	}

	pub(super) fn handle(&self) -> SocketHandle {
		self.handle
	}

	/// Moves what can be moved, and asks to be woken when more can.
	pub(super) fn pump(&mut self, socket: &mut tcp::Socket<'_>, valve: Option<&Valve>, cx: &mut Context<'_>) -> Step {
		let mut step = Step::default();
		if self.opening.is_some() && !self.open(socket, &mut step) {
			return step;
		}
		let Some(stream) = &mut self.stream else { return Step { done: true, ..step } };
		let moved = greet(stream, &mut self.greeting, cx)
			.and_then(|()| from_application(stream, &mut self.ended, socket, valve, cx, &mut step))
			.and_then(|()| match self.greeting.is_empty() {
				true => to_application(stream, &mut self.shut, socket, valve, cx, &mut step),
				false => Ok(()),
			});
		if moved.is_err() && socket.is_open() {
			socket.abort();
			(self.ended, self.shut, step.moved) = (true, true, true);
		}
		// An aborted connection has still to send its reset; an ended one may hold bytes that were not read.
		let over = socket.state() == tcp::State::Closed && socket.remote_endpoint().is_none();
		step.done = (over || socket.state() == tcp::State::TimeWait) && (!socket.can_recv() || self.shut);
		step
	}

	/// Gives it up: the stream goes back if nothing has begun, otherwise the application sees a reset, no regular end.
	pub(super) fn abandon(self) {
		let Some(stream) = self.stream else { return };
		match self.opening {
			Some(opening) => drop(opening.refused.send(stream)),
			None => drop(socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO))),
		}
	}

	/// Whether the other side has accepted.
	fn open(&mut self, socket: &tcp::Socket<'_>, step: &mut Step) -> bool {
		match socket.state() {
			tcp::State::SynSent | tcp::State::SynReceived | tcp::State::Listen => false,
			tcp::State::Closed => {
				if let (Some(opening), Some(stream)) = (self.opening.take(), self.stream.take()) {
					let _ = opening.refused.send(stream);
				}
				step.done = true;
				false
			}
			_ => {
				self.greeting = self.opening.take().map_or(Vec::new(), |opening| opening.greeting);
				true
			}
		}
	}
}

/// The beginning of a buffer.
fn upto(buffer: &mut [u8], most: usize) -> &mut [u8] {
	let length = buffer.len().min(most);
	&mut buffer[..length]
}

fn greet(stream: &mut TcpStream, greeting: &mut Vec<u8>, cx: &mut Context<'_>) -> Result<(), Broken> {
	while !greeting.is_empty() {
		if stream.poll_write_ready(cx).is_pending() {
			return Ok(());
		}
		match stream.try_write(greeting) {
			Ok(count) => drop(greeting.drain(..count)),
			Err(error) if error.kind() == ErrorKind::WouldBlock => {}
			Err(_) => return Err(Broken),
		}
	}
	Ok(())
}

fn from_application(
	stream: &mut TcpStream,
	ended: &mut bool,
	socket: &mut tcp::Socket<'_>,
	valve: Option<&Valve>,
	cx: &mut Context<'_>,
	step: &mut Step,
) -> Result<(), Broken> {
	while !*ended && socket.can_send() {
		if stream.poll_read_ready(cx).is_pending() {
			return Ok(());
		}
		let may = valve.map_or(usize::MAX, |valve| valve.open(Way::In, PIECE, cx.waker()));
		if may == 0 {
			return Ok(());
		}
		let read = socket.send(|buffer| match stream.try_read(upto(buffer, may)) {
			Ok(0) => {
				*ended = true;
				(0, Ok(0))
			}
			Ok(count) => (count, Ok(count)),
			Err(error) if error.kind() == ErrorKind::WouldBlock => (0, Ok(0)),
			Err(_) => (0, Err(Broken)),
		});
		let read = read.unwrap_or(Err(Broken))?;
		valve.iter().for_each(|valve| valve.passed(Way::In, read));
		step.moved |= read > 0;
		if *ended {
			socket.close();
			step.moved = true;
		}
	}
	Ok(())
}

fn to_application(
	stream: &mut TcpStream,
	shut: &mut bool,
	socket: &mut tcp::Socket<'_>,
	valve: Option<&Valve>,
	cx: &mut Context<'_>,
	step: &mut Step,
) -> Result<(), Broken> {
	while socket.can_recv() {
		if stream.poll_write_ready(cx).is_pending() {
			return Ok(());
		}
		let waiting = socket.recv_queue();
		let may = valve.map_or(waiting, |valve| valve.open(Way::Out, waiting, cx.waker()));
		if may == 0 {
			return Ok(());
		}
		let written = socket.recv(|buffer| match stream.try_write(upto(buffer, may)) {
			Ok(count) => (count, Ok(count)),
			Err(error) if error.kind() == ErrorKind::WouldBlock => (0, Ok(0)),
			Err(_) => (0, Err(Broken)),
		});
		let written = written.unwrap_or(Err(Broken))?;
		valve.iter().for_each(|valve| valve.passed(Way::Out, written));
		step.moved |= written > 0;
	}
	let waiting = matches!(socket.state(), tcp::State::Listen | tcp::State::SynSent | tcp::State::SynReceived);
	if !*shut && !waiting && !socket.may_recv() && Pin::new(stream).poll_shutdown(cx).is_ready() {
		(*shut, step.moved) = (true, true);
	}
	Ok(())
}
