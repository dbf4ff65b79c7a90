//! What the gateway has answered, for as long as it said: the same question costs nothing again.

use std::{
	collections::BTreeMap,
	time::{Duration, Instant},
};

use hickory_proto::{
	op::{Message, ResponseCode},
	rr::{Name, RData, Record, RecordType},
};

/// Most answers that are kept, and their largest size in bytes: 4 MiB at most.
const MAX_ANSWERS: usize = 1024;
const MAX_SIZE: usize = 4096;
/// Nothing is kept for longer, in seconds: what is there, and that nothing is there (RFC 2308).
const LONGEST: (u32, u32) = (86_400, 3 * 3_600);

/// What makes two questions the same.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
	name: Name,
	kind: u16,
	/// With signatures, and without checking: other answers.
	dnssec: (bool, bool),
}

impl Key {
	/// That of a message with one question.
	pub fn of(query: &Message) -> Self {
		let question = query.queries.first();
		Self {
			name: question.map(|question| question.name().to_lowercase()).unwrap_or_default(),
			kind: question.map_or(0, |question| question.query_type().into()),
			dnssec: (query.edns.as_ref().is_some_and(|edns| edns.flags().dnssec_ok), query.checking_disabled),
		}
	}
}

struct Kept {
	answer: Message,
	since: Instant,
	until: Instant,
}

/// The answers.
#[derive(Default)]
pub struct Cache(BTreeMap<Key, Kept>);

fn sections(answer: &mut Message) -> impl Iterator<Item = &mut Record> {
	answer.answers.iter_mut().chain(&mut answer.authorities).chain(&mut answer.additionals)
}

/// For how long an answer stands, in seconds.
fn lifetime(answer: &Message) -> u32 {
	let least = |records: &mut dyn Iterator<Item = &Record>| records.map(|record| record.ttl).min();
	let negative = || {
		answer.authorities.iter().find_map(|record| match &record.data {
			RData::SOA(soa) => Some(soa.minimum.min(record.ttl).min(LONGEST.1)),
			_ => None,
		})
	};
	let asked = answer.queries.first().map(|question| question.query_type());
	let found = |record: &Record| Some(record.record_type()) == asked || asked == Some(RecordType::ANY);
	match answer.response_code {
		_ if answer.truncation => 0,
		ResponseCode::NoError if answer.answers.iter().any(found) => {
			least(&mut answer.all_sections()).unwrap_or(0).min(LONGEST.0)
		}
		// An alias that leads to nothing stands no longer than any part of it.
		ResponseCode::NoError | ResponseCode::NXDomain => {
			negative().map_or(0, |negative| least(&mut answer.answers.iter()).unwrap_or(negative).min(negative))
		}
		_ => 0,
	}
}

impl Cache {
	/// What is known, with what is left of its time.
	pub fn get(&mut self, key: &Key, now: Instant) -> Option<Message> {
		let kept = self.0.get(key)?;
		if kept.until <= now {
			self.0.remove(key);
			return None;
		}
		let (mut answer, passed) = (kept.answer.clone(), now.duration_since(kept.since).as_secs() as u32);
		sections(&mut answer).for_each(|record| record.ttl = record.ttl.saturating_sub(passed));
		Some(answer)
	}

	/// Remembers an answer for as long as it says.
	pub fn put(&mut self, key: Key, answer: &Message, now: Instant) {
		let lifetime = lifetime(answer);
		if lifetime == 0 || answer.to_vec().map_or(true, |bytes| bytes.len() > MAX_SIZE) {
			return;
		}
		if self.0.len() >= MAX_ANSWERS {
			self.0.retain(|_, kept| kept.until > now);
		}
		if self.0.len() >= MAX_ANSWERS {
			let first = self.0.iter().min_by_key(|(_, kept)| kept.until).map(|(key, _)| key.clone());
			first.map(|first| self.0.remove(&first));
		}
		let mut answer = answer.clone();
		answer.edns = None;
		sections(&mut answer).for_each(|record| record.ttl = record.ttl.min(LONGEST.0));
		let until = now + Duration::from_secs(lifetime.into());
		self.0.insert(key, Kept { answer, since: now, until });
	}
}

#[cfg(test)]
mod tests {
	use hickory_proto::{
		op::{MessageType, OpCode, Query},
		rr::rdata::{A, CNAME, SOA},
	};

	use super::*;

	fn name(text: &str) -> Name {
		Name::from_ascii(text).unwrap()
	}

	fn answer(host: &str) -> Message {
		let mut message = Message::new(7, MessageType::Response, OpCode::Query);
		message.add_query(Query::query(name(host), RecordType::A));
		message
	}

	fn found(host: &str, ttl: u32) -> Message {
		let mut message = answer(host);
		message.add_answer(Record::from_rdata(name(host), ttl, RData::A(A::new(192, 0, 2, 1))));
		message
	}

	fn soa(ttl: u32, minimum: u32) -> Record {
		let soa = SOA::new(name("org."), name("org."), 1, 1, 1, 1, minimum);
		Record::from_rdata(name("org."), ttl, RData::SOA(soa))
	}

	#[test]
	fn an_answer_is_kept_for_its_time_and_grows_old() {
		let (mut cache, now) = (Cache::default(), Instant::now());
		let message = found("Example.org.", 100);
		cache.put(Key::of(&message), &message, now);
		let key = Key::of(&answer("example.ORG."));
		assert_eq!(cache.get(&key, now + Duration::from_secs(30)).unwrap().answers[0].ttl, 70);
		assert!(cache.get(&key, now + Duration::from_secs(100)).is_none());
		assert!(cache.get(&Key::of(&answer("other.org.")), now).is_none());
	}

	#[test]
	fn that_nothing_is_there_is_kept_as_long_as_the_zone_says_and_failures_are_not() {
		let mut nothing = answer("example.org.");
		nothing.metadata.response_code = ResponseCode::NXDomain;
		assert_eq!(lifetime(&nothing), 0, "no SOA, no time");
		nothing.add_authority(soa(600, 300));
		assert_eq!(lifetime(&nothing), 300);
		let mut alias = answer("example.org.");
		alias.add_answer(Record::from_rdata(name("example.org."), 20, RData::CNAME(CNAME(name("gone.org.")))));
		assert_eq!(lifetime(&alias), 0);
		alias.add_authority(soa(600, 300));
		assert_eq!(lifetime(&alias), 20);
		let mut failed = found("example.org.", 100);
		failed.metadata.response_code = ResponseCode::ServFail;
		assert_eq!(lifetime(&failed), 0);
		let mut cut = found("example.org.", 100);
		cut.metadata.truncation = true;
		assert_eq!((lifetime(&cut), lifetime(&found("example.org.", u32::MAX))), (0, LONGEST.0));
	}

	#[test]
	fn a_full_cache_gives_up_what_ends_first() {
		let (mut cache, now) = (Cache::default(), Instant::now());
		for number in 0..MAX_ANSWERS + 5 {
			let message = found(&format!("host{number}.org."), 10 + number as u32);
			cache.put(Key::of(&message), &message, now);
		}
		assert_eq!(cache.0.len(), MAX_ANSWERS);
		assert!(cache.get(&Key::of(&answer("host4.org.")), now).is_none());
		assert!(cache.get(&Key::of(&answer("host5.org.")), now).is_some());
	}
}
