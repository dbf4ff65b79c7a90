//! What applications say to the proxy, and what gateways answer instead of connecting.

use std::{
	future::Future,
	pin::pin,
	task::{Context, Poll, Waker},
};

use crate::stack::{clamp_segments, endpoints, split, udp_payload};

#[allow(dead_code)]
#[path = "../../mesh-agent/src/exit/refusal.rs"]
mod refusal;
#[path = "../../mesh-agent/src/proxy/request.rs"]
mod request;

use refusal::Refusal;
use request::{http, socks, Target};

/// Longest head of a request, and the most that is said before one was understood.
const MOST: (usize, usize) = (8 * 1024, 100);

/// Bytes never make anybody wait.
fn now<T>(future: impl Future<Output = T>) -> T {
	match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
		Poll::Ready(result) => result,
		Poll::Pending => panic!("a request waits for more than its bytes"),
	}
}

fn sound(target: &Target) {
	match target {
		Target::Address(address) => assert_ne!(address.port(), 0),
		Target::Name(name, port) => {
			assert!(*port != 0 && !name.is_empty() && name.parse::<std::net::IpAddr>().is_err(), "{target:?}");
		}
	}
}

/// A connection's beginning, in both dialects: what was read is one request, and what follows it is left.
pub fn proxy(bytes: &[u8]) {
	let mut answer = Vec::new();
	let mut stream = tokio::io::join(bytes, &mut answer);
	let asked = now(socks(&mut stream));
	let left = stream.reader().len();
	assert!(answer.len() <= MOST.1);
	if let Ok(target) = asked {
		sound(&target);
		let methods = 2 + usize::from(bytes[1]);
		let host = match bytes[methods + 3] {
			1 => 4,
			4 => 16,
			_ => 1 + usize::from(bytes[methods + 4]),
		};
		assert_eq!(bytes.len() - left, methods + 4 + host + 2);
	}
	let mut answer = Vec::new();
	let mut stream = tokio::io::join(bytes, &mut answer);
	let asked = now(http(&mut stream));
	let read = &bytes[..bytes.len() - stream.reader().len()];
	assert!(read.len() <= MOST.0 && answer.len() <= MOST.1);
	if let Ok(target) = asked {
		sound(&target);
		let end = read.windows(4).position(|four| four == b"\r\n\r\n");
		assert_eq!(end.map(|at| at + 4), Some(read.len()));
	}
}

/// A packet that a stack looks at before it lets it in, and what is said about one that is not let out.
pub fn refusal(bytes: &[u8]) {
	assert!(udp_payload(bytes).is_none_or(|payload| payload.len() <= bytes.len()));
	let mut clamped = bytes.to_vec();
	clamp_segments(&mut clamped, 1182);
	assert_eq!(endpoints(&clamped).map(|ends| (ends.from, ends.to)), endpoints(bytes).map(|ends| (ends.from, ends.to)));
	for refusal in [Refusal::Policy, Refusal::MonthFull] {
		let Some(mut answer) = refusal.answer(bytes) else { continue };
		assert!(answer.len() <= bytes.len() + 48, "an answer is hardly longer than what it is about");
		let (from, to, ..) = split(bytes).expect("it was understood");
		assert_eq!(split(&answer).map(|(source, target, ..)| (source, target)), Some((to, from)));
		if let Some((read, about)) = Refusal::read(&answer) {
			assert_eq!((read, about.ip()), (refusal, to));
		}
		Refusal::disown(&mut answer);
		assert!(!matches!(Refusal::read(&answer), Some((Refusal::MonthFull, _))));
	}
	let mut foreign = bytes.to_vec();
	Refusal::disown(&mut foreign);
	assert!(!matches!(Refusal::read(&foreign), Some((Refusal::MonthFull, _))));
}
