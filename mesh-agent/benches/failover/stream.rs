//! Datagrams at a steady pace through the diamond, and when they arrive.

use std::{
	fs::File,
	io::{Read, Write},
	net::{IpAddr, SocketAddr, UdpSocket},
	path::PathBuf,
	thread::sleep,
	time::{Duration, Instant},
};

use anyhow::{ensure, Context, Result};

use crate::contestants::Contestant;

const PORT: u16 = 9_700;
/// Between two datagrams.
const PACE: Duration = Duration::from_millis(5);
/// As long as a small voice packet.
const LENGTH: usize = 160;

/// Seconds of the machine's clock, which all namespaces share.
pub fn clock() -> f64 {
	std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// `send ADDRESS`: a datagram each [`PACE`], whatever happens to it.
pub fn send(mut arguments: impl Iterator<Item = String>) -> Result<()> {
	let to: IpAddr = arguments.next().context("send needs an address")?.parse()?;
	let any: IpAddr = if to.is_ipv6() { [0; 16].into() } else { [0; 4].into() };
	let socket = UdpSocket::bind((any, 0))?;
	let mut next = Instant::now();
	loop {
		let _ = socket.send_to(&[7; LENGTH], SocketAddr::new(to, PORT));
		next += PACE;
		sleep(next.saturating_duration_since(Instant::now()));
	}
}

/// `receive FILE`: writes down when each datagram arrives.
pub fn receive(mut arguments: impl Iterator<Item = String>) -> Result<()> {
	let mut file = File::create(arguments.next().context("receive needs a file")?)?;
	let socket = UdpSocket::bind((IpAddr::from([0u8; 16]), PORT))?;
	let mut buffer = [0; 2_048];
	loop {
		socket.recv_from(&mut buffer)?;
		file.write_all(&clock().to_le_bytes())?;
	}
}

/// A stream that runs.
pub struct Stream {
	file: PathBuf,
	read: u64,
	arrivals: Vec<f64>,
}

impl Stream {
	/// Starts both ends.
	pub fn start(contestant: &mut Contestant) -> Result<Self> {
		let own = std::env::current_exe()?;
		let own = own.to_string_lossy();
		let (from, to, address) = contestant.ends()?;
		let lab = contestant.lab();
		let file = lab.folder().join("arrivals");
		lab.start("receiver", to, &own, &["receive", &file.to_string_lossy()])?;
		lab.start("sender", from, &own, &["send", &address.to_string()])?;
		Ok(Self { file, read: 0, arrivals: Vec::new() })
	}

	/// Takes what has arrived since.
	fn update(&mut self) -> Result<()> {
		use std::io::Seek;
		let Ok(mut file) = File::open(&self.file) else { return Ok(()) };
		file.seek(std::io::SeekFrom::Start(self.read))?;
		let mut bytes = Vec::new();
		file.read_to_end(&mut bytes)?;
		let whole = bytes.chunks_exact(8);
		self.read += (whole.len() * 8) as u64;
		self.arrivals.extend(whole.filter_map(|chunk| Some(f64::from_le_bytes(chunk.try_into().ok()?))));
		Ok(())
	}

	/// Waits until traffic has flowed for a while without a pause.
	pub fn calm(&mut self, span: Duration, patience: Duration) -> Result<()> {
		let end = Instant::now() + patience;
		loop {
			self.update()?;
			let since = clock() - span.as_secs_f64();
			if self.longest(since).is_some_and(|pause| pause < 0.1) {
				return Ok(());
			}
			ensure!(Instant::now() < end, "no steady traffic for {patience:?}");
			sleep(Duration::from_millis(200));
		}
	}

	/// The longest pause since then, up to now.
	fn longest(&self, since: f64) -> Option<f64> {
		let from = self.arrivals.partition_point(|at| *at < since);
		let seen = &self.arrivals[from.saturating_sub(1)..];
		let mut last = *seen.first()?;
		let mut longest = 0.0f64;
		for at in seen.iter().copied().chain([clock()]) {
			longest = longest.max(at - last.max(since));
			last = at;
		}
		Some(longest)
	}

	/// The longest pause after a cut, once traffic has flowed for a while again.
	pub fn pause_after(&mut self, since: f64, calm: Duration) -> Result<Option<Duration>> {
		self.update()?;
		let settled = clock() - calm.as_secs_f64();
		let quiet = settled <= since || self.longest(settled).is_none_or(|pause| pause > 0.1);
		Ok(self.longest(since).filter(|_| !quiet).map(Duration::from_secs_f64))
	}
}
