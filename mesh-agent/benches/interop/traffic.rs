//! Traffic from end to end: a TCP stream that must arrive whole, and datagrams that tell how long nothing came.

use std::{
	fs::File,
	io::{Read, Write},
	net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket},
	path::{Path, PathBuf},
	thread::sleep,
	time::{Duration, Instant},
};

use anyhow::{ensure, Context, Result};
use socket2::{Domain, Protocol, Socket, Type};

use crate::routers::{addresses, name, Routers};

const PORT: u16 = 9_800;
/// Between two datagrams.
const PACE: Duration = Duration::from_millis(5);
/// What a TCP stream carries, in bytes.
const STREAM: usize = 8 << 20;
/// So long a stream may take.
const STREAM_TIME: Duration = Duration::from_secs(20);

fn address(text: Option<String>) -> Result<IpAddr> {
	Ok(text.context("an address is missing")?.parse()?)
}

/// `send OWN TO`: a datagram each [`PACE`], whatever happens to it.
pub fn send(mut arguments: impl Iterator<Item = String>) -> Result<()> {
	let (own, to) = (address(arguments.next())?, address(arguments.next())?);
	let socket = UdpSocket::bind((own, 0))?;
	let mut next = Instant::now();
	loop {
		let _ = socket.send_to(&[7; 160], SocketAddr::new(to, PORT));
		next += PACE;
		sleep(next.saturating_duration_since(Instant::now()));
	}
}

/// `receive FILE`: writes down when each datagram arrives, in seconds.
pub fn receive(mut arguments: impl Iterator<Item = String>) -> Result<()> {
	let mut file = File::create(arguments.next().context("receive needs a file")?)?;
	let socket = UdpSocket::bind((IpAddr::from([0u8; 16]), PORT))?;
	let (mut buffer, begin) = ([0; 2_048], Instant::now());
	loop {
		socket.recv_from(&mut buffer)?;
		file.write_all(&begin.elapsed().as_secs_f64().to_le_bytes())?;
	}
}

/// `serve`: takes TCP streams and answers each with the number of its bytes.
pub fn serve() -> Result<()> {
	let listener = TcpListener::bind((IpAddr::from([0u8; 16]), PORT))?;
	for stream in listener.incoming() {
		let mut stream = stream?;
		let length = std::io::copy(&mut stream, &mut std::io::sink())?;
		stream.write_all(&length.to_le_bytes())?;
	}
	Ok(())
}

/// `push OWN TO`: a TCP stream there, until the other end has counted it.
pub fn push(mut arguments: impl Iterator<Item = String>) -> Result<()> {
	let (own, to) = (address(arguments.next())?, address(arguments.next())?);
	let socket = Socket::new(Domain::for_address(SocketAddr::new(to, 0)), Type::STREAM, Some(Protocol::TCP))?;
	socket.bind(&SocketAddr::new(own, 0).into())?;
	socket.connect_timeout(&SocketAddr::new(to, PORT).into(), STREAM_TIME)?;
	let mut stream = TcpStream::from(socket);
	stream.set_read_timeout(Some(STREAM_TIME))?;
	stream.set_write_timeout(Some(STREAM_TIME))?;
	stream.write_all(&vec![7; STREAM])?;
	stream.shutdown(std::net::Shutdown::Write)?;
	let mut counted = [0; 8];
	stream.read_exact(&mut counted)?;
	ensure!(u64::from_le_bytes(counted) == STREAM as u64, "{} of {STREAM} bytes arrived", u64::from_le_bytes(counted));
	Ok(())
}

/// A TCP stream of each family from one router to another; Mbit/s of both.
pub fn streams(routers: &mut Routers, from: usize, to: usize) -> Result<[f64; 2]> {
	let own = std::env::current_exe()?;
	let own = own.to_string_lossy();
	routers.lab.start("server", &name(to), &own, &["serve"])?;
	sleep(Duration::from_millis(300));
	let mut rates = [0.0; 2];
	for ((source, target), rate) in addresses(from).iter().zip(&addresses(to)).zip(&mut rates) {
		let begin = Instant::now();
		routers.lab.exec(&name(from), &own, &["push", source, target])?;
		*rate = (STREAM as f64 * 8e-6 / begin.elapsed().as_secs_f64()).round();
	}
	routers.lab.kill("server")?;
	Ok(rates)
}

/// Datagrams that flow from one router to another, in IPv6.
pub struct Datagrams {
	file: PathBuf,
	begin: Instant,
}

impl Datagrams {
	/// Starts both ends.
	pub fn start(routers: &mut Routers, from: usize, to: usize) -> Result<Self> {
		let own = std::env::current_exe()?;
		let own = own.to_string_lossy();
		let file = routers.lab.folder().join("arrivals");
		routers.lab.start("receiver", &name(to), &own, &["receive", &file.to_string_lossy()])?;
		let ([_, source], [_, target]) = (addresses(from), addresses(to));
		routers.lab.start("sender", &name(from), &own, &["send", &source, &target])?;
		Ok(Self { file, begin: Instant::now() })
	}

	/// The share that arrived, and the longest time without any, in seconds.
	pub fn finish(self, routers: &mut Routers) -> Result<(f64, f64)> {
		let elapsed = self.begin.elapsed().as_secs_f64();
		routers.lab.kill("sender")?;
		routers.lab.kill("receiver")?;
		let arrivals = read(&self.file)?;
		let share = arrivals.len() as f64 * PACE.as_secs_f64() / elapsed;
		let pause = arrivals.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max);
		Ok((share.min(1.0), pause))
	}
}

fn read(file: &Path) -> Result<Vec<f64>> {
	let bytes = std::fs::read(file)?;
	Ok(bytes.chunks_exact(8).filter_map(|chunk| Some(f64::from_le_bytes(chunk.try_into().ok()?))).collect())
}
