//! Questions of local programs and of payers, and answers of gateways and resolvers.

use std::time::{Duration, Instant};

use hickory_proto::op::{Message, MessageType, ResponseCode};
use towpath_primitives::NodeId;

use crate::names::Names;

#[allow(dead_code)]
#[path = "../../mesh-agent/src/dns/cache.rs"]
mod cache;
#[allow(dead_code)]
#[path = "../../mesh-agent/src/dns/frame.rs"]
mod frame;
#[path = "../../mesh-agent/src/dns/local.rs"]
mod local;

use frame::{answers, carry, fitting, question, refusal, reply, LEAST_DATAGRAM, MAX_DATAGRAM};

/// An answer leaves in no more bytes than its asker takes, is read as one to this question, and complains to nobody who answers.
fn leaves(query: &Message, answer: &Message) {
	for limit in [LEAST_DATAGRAM, MAX_DATAGRAM, u16::MAX] {
		let Some(bytes) = fitting(answer, limit) else { continue };
		assert!(bytes.len() <= usize::from(limit), "{} bytes for {limit}", bytes.len());
		let read = Message::from_vec(&bytes).expect("what we write can be read");
		assert_eq!((read.id, read.message_type), (query.id, MessageType::Response));
	}
}

/// A message, as a question and as an answer.
pub fn dns(bytes: &[u8]) {
	let Ok(message) = Message::from_vec(bytes) else { return };
	if let Some(code) = refusal(&message) {
		return leaves(&message, &reply(&message, code));
	}
	let names = Names::new(5, [(b"garden".to_vec(), NodeId([1; 32]))]);
	if let Some(answer) = local::answer(&message, &names) {
		leaves(&message, &answer);
	}
	let asked = question(&message, message.id).expect("it has a question");
	let bytes = asked.to_vec().expect("a question that was read can be written");
	assert!(bytes.len() <= usize::from(LEAST_DATAGRAM), "no more than the question is passed on");
	if !answers(&message, &asked) {
		return;
	}
	leaves(&asked, &carry(&asked, message.clone()));
	let (mut cache, now, day) = (cache::Cache::default(), Instant::now(), Duration::from_secs(86_400));
	cache.put(cache::Key::of(&asked), &message, now);
	if let Some(kept) = cache.get(&cache::Key::of(&asked), now) {
		assert!(matches!(kept.response_code, ResponseCode::NoError | ResponseCode::NXDomain) && !kept.truncation);
		leaves(&asked, &carry(&asked, kept));
	}
	assert!(cache.get(&cache::Key::of(&asked), now + day).is_none(), "nothing is kept for longer than a day");
}
