//! Luck by seed, and values of any type in the metadata: what nobody would send, and somebody does.

use codec::{Compact, Decode, Encode};
use scale_info::{form::PortableForm, MetaType, PortableRegistry, Registry, TypeDef, TypeDefPrimitive, Variant};
use towpath_primitives::NodeId;

use crate::{AccountId, RuntimeCall, UNIT};

/// SplitMix64: the same run for the same seed, on every machine.
pub struct Dice(pub u64);

impl Dice {
	pub fn next(&mut self) -> u64 {
		self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
		let mut z = self.0;
		z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
		z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
		z ^ (z >> 31)
	}

	pub fn below(&mut self, bound: usize) -> usize {
		(self.next() % bound.max(1) as u64) as usize
	}

	pub fn one_in(&mut self, n: usize) -> bool {
		self.below(n) == 0
	}

	pub fn pick<T: Clone>(&mut self, from: &[T]) -> Option<T> {
		(!from.is_empty()).then(|| from[self.below(from.len())].clone())
	}

	/// Mostly what people pay, sometimes nothing, sometimes more than there is.
	pub fn money(&mut self) -> u128 {
		match self.below(20) {
			0 => 0,
			1 => u128::from(self.next()) << 64 | u128::from(self.next()),
			2 => 100_000 * UNIT,
			3..=6 => UNIT / 1_000 * (1 + self.below(1_000) as u128),
			7..=14 => UNIT * (1 + self.below(50) as u128),
			_ => UNIT * (1 + self.below(2_000) as u128),
		}
	}
}

/// One call of the runtime, by the names of pallet and call.
pub type CallName = (String, String);

/// The runtime's types, and whom values of them name.
pub struct Wild {
	types: PortableRegistry,
	calls: Vec<(CallName, u8, Variant<PortableForm>)>,
	pub accounts: Vec<AccountId>,
	pub nodes: Vec<NodeId>,
}

/// Calls within calls end here.
const DEEPEST: u32 = 3;

impl Wild {
	pub fn new(accounts: Vec<AccountId>, nodes: Vec<NodeId>) -> Self {
		let mut registry = Registry::new();
		let root = registry.register_type(&MetaType::new::<RuntimeCall>()).id;
		let types: PortableRegistry = registry.into();
		let mut calls = Vec::new();
		let TypeDef::Variant(pallets) = &types.resolve(root).unwrap().type_def else { panic!("calls are an enum") };
		for pallet in &pallets.variants {
			let TypeDef::Variant(of_pallet) = &types.resolve(pallet.fields[0].ty.id).unwrap().type_def else {
				panic!("and so are a pallet's")
			};
			// The hidden variant of the macro has no index that decodes.
			let named = of_pallet.variants.iter().filter(|call| !call.name.starts_with("__"));
			calls.extend(named.map(|call| ((pallet.name.clone(), call.name.clone()), pallet.index, call.clone())));
		}
		Wild { types, calls, accounts, nodes }
	}

	/// Every call of the runtime.
	pub fn names(&self) -> impl Iterator<Item = &CallName> {
		self.calls.iter().map(|(name, ..)| name)
	}

	/// This call, with any arguments of the right types.
	pub fn call(&self, dice: &mut Dice, name: &CallName) -> RuntimeCall {
		let (_, pallet, call) = self.calls.iter().find(|(found, ..)| found == name).unwrap();
		loop {
			let mut bytes = vec![*pallet, call.index];
			for field in &call.fields {
				self.value(dice, field.ty.id, 0, &mut bytes);
			}
			// Not everything that has the type's form is of the type: bounds, proportions.
			if let Ok(call) = RuntimeCall::decode(&mut &bytes[..]) {
				return call;
			}
		}
	}

	fn value(&self, dice: &mut Dice, id: u32, depth: u32, out: &mut Vec<u8>) {
		let ty = self.types.resolve(id).unwrap();
		match ty.path.ident().as_deref() {
			Some("AccountId32") => return out.extend(dice.pick(&self.accounts).unwrap().encode()),
			Some("NodeId") => return out.extend(dice.pick(&self.nodes).unwrap().encode()),
			Some("RuntimeCall") => {
				let name = &self.calls[dice.below(self.calls.len())].0;
				let leaf = ("System".into(), "remark".into());
				let name = if depth >= DEEPEST { &leaf } else { name };
				let (_, pallet, call) = self.calls.iter().find(|(found, ..)| found == name).unwrap();
				out.extend([*pallet, call.index]);
				return call.fields.iter().for_each(|field| self.value(dice, field.ty.id, depth + 1, out));
			}
			_ => {}
		}
		match &ty.type_def {
			TypeDef::Composite(composite) => {
				composite.fields.iter().for_each(|field| self.value(dice, field.ty.id, depth, out));
			}
			TypeDef::Variant(variants) if variants.variants.is_empty() => {}
			TypeDef::Variant(variants) => {
				let variant = &variants.variants[dice.below(variants.variants.len())];
				out.push(variant.index);
				variant.fields.iter().for_each(|field| self.value(dice, field.ty.id, depth, out));
			}
			TypeDef::Sequence(sequence) => {
				let length = dice.below(if depth > 0 { 3 } else { 6 });
				Compact(length as u32).encode_to(out);
				(0..length).for_each(|_| self.value(dice, sequence.type_param.id, depth + 1, out));
			}
			TypeDef::Array(array) => (0..array.len).for_each(|_| self.value(dice, array.type_param.id, depth, out)),
			TypeDef::Tuple(tuple) => tuple.fields.iter().for_each(|field| self.value(dice, field.id, depth, out)),
			TypeDef::Primitive(primitive) => out.extend(primitive_value(dice, primitive)),
			TypeDef::Compact(compact) => Compact(number(dice) & self.mask(compact.type_param.id)).encode_to(out),
			TypeDef::BitSequence(_) => Compact(0u32).encode_to(out),
		}
	}

	/// What fits into a compact number.
	fn mask(&self, id: u32) -> u128 {
		match &self.types.resolve(id).unwrap().type_def {
			TypeDef::Primitive(TypeDefPrimitive::U8) => 0xff,
			TypeDef::Primitive(TypeDefPrimitive::U16) => 0xffff,
			TypeDef::Primitive(TypeDefPrimitive::U32) => u32::MAX.into(),
			TypeDef::Primitive(TypeDefPrimitive::U64) => u64::MAX.into(),
			TypeDef::Composite(wrapper) => self.mask(wrapper.fields[0].ty.id),
			_ => u128::MAX,
		}
	}
}

fn number(dice: &mut Dice) -> u128 {
	match dice.below(6) {
		0 => 0,
		1 => u128::MAX,
		2 => dice.money(),
		_ => dice.below(40) as u128,
	}
}

fn primitive_value(dice: &mut Dice, primitive: &TypeDefPrimitive) -> Vec<u8> {
	let width = match primitive {
		TypeDefPrimitive::Bool => return vec![dice.below(2) as u8],
		TypeDefPrimitive::Str => return "story".encode(),
		TypeDefPrimitive::Char => return u32::from('t').encode(),
		TypeDefPrimitive::U8 | TypeDefPrimitive::I8 => return vec![dice.below(256) as u8],
		TypeDefPrimitive::U16 | TypeDefPrimitive::I16 => 2,
		TypeDefPrimitive::U32 | TypeDefPrimitive::I32 => 4,
		TypeDefPrimitive::U64 | TypeDefPrimitive::I64 => 8,
		TypeDefPrimitive::U128 | TypeDefPrimitive::I128 => 16,
		TypeDefPrimitive::U256 | TypeDefPrimitive::I256 => return vec![0; 32],
	};
	number(dice).to_le_bytes()[..width].to_vec()
}
