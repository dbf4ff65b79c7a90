//! The spool's file: records, and what they come to.

use std::collections::BTreeMap;

use codec::{DecodeAll, Encode};
use towpath_primitives::{ChannelId, NodeId, SignedReceipt};
use towpath_proto::record::Record;

/// Longest record, in bytes.
const MAX_RECORD: usize = 1024;

/// The newest of every kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
	receipts: BTreeMap<ChannelId, SignedReceipt>,
	meters: BTreeMap<ChannelId, u128>,
	payees: BTreeMap<(ChannelId, NodeId), (u128, u64)>,
	head: u64,
	bases: BTreeMap<ChannelId, u128>,
}

impl Contents {
	/// Takes one record more.
	pub fn apply(&mut self, record: Record) {
		match record {
			Record::Receipt(signed) => {
				self.receipts.insert(signed.receipt.channel, signed);
			}
			Record::Meter { channel, ceiling } => {
				let known = self.meters.entry(channel).or_default();
				*known = (*known).max(ceiling);
			}
			Record::Payee { channel, node, owed, bytes } => {
				let known = self.payees.entry((channel, node)).or_default();
				*known = (known.0.max(owed), known.1.max(bytes));
			}
			Record::Head(number) => self.head = self.head.max(number),
			Record::Unsecured { channel, base: Some(base) } => drop(self.bases.insert(channel, base)),
			Record::Unsecured { channel, base: None } => drop(self.bases.remove(&channel)),
		}
	}

	/// One record of each.
	pub fn records(&self) -> Vec<Record> {
		let receipts = self.receipts.values().copied().map(Record::Receipt);
		let meters =
			self.meters.iter().map(|(channel, ceiling)| Record::Meter { channel: *channel, ceiling: *ceiling });
		let payees = self.payees.iter().map(|((channel, node), (owed, bytes))| Record::Payee {
			channel: *channel,
			node: *node,
			owed: *owed,
			bytes: *bytes,
		});
		let head = (self.head > 0).then_some(Record::Head(self.head));
		let bases = self.bases.iter().map(|(channel, base)| (*channel, Some(*base)));
		let bases = bases.map(|(channel, base)| Record::Unsecured { channel, base });
		receipts.chain(meters).chain(payees).chain(head).chain(bases).collect()
	}

	/// The newest receipts, by channel.
	pub fn receipts(&self) -> impl Iterator<Item = &SignedReceipt> {
		self.receipts.values()
	}
}

/// A record as it is in the file.
pub fn frame(record: &Record) -> Vec<u8> {
	let body = record.encode();
	let mut bytes = Vec::with_capacity(8 + body.len());
	bytes.extend_from_slice(&(body.len() as u32).to_le_bytes());
	bytes.extend_from_slice(&crc32fast::hash(&body).to_le_bytes());
	bytes.extend_from_slice(&body);
	bytes
}

/// What a file holds, up to the first record that is not whole; and whether it was whole to its end.
pub fn parse(mut bytes: &[u8]) -> (Contents, bool) {
	let mut contents = Contents::default();
	while let Some((head, rest)) = bytes.split_first_chunk::<8>() {
		let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
		let sum = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
		let Some(body) = rest.get(..length).filter(|body| length <= MAX_RECORD && crc32fast::hash(body) == sum) else {
			return (contents, false);
		};
		let Ok(record) = Record::decode_all(&mut &*body) else { return (contents, false) };
		contents.apply(record);
		bytes = &rest[length..];
	}
	(contents, bytes.is_empty())
}
