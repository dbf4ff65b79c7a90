// Makes encoded values of every type in a chain's metadata, from the metadata alone: a client that cannot decode one of them
// would fail on that chain sooner or later. Types come as a list indexed by id, in the form that `fromPolkadotJs` and
// `fromPapi` bring them to.

// Sequences inside of sequences end here, or a batch of batches would have no end.
const DEEPEST = 5;
const WIDTHS = { bool: 1, char: 4, u8: 1, u16: 2, u32: 4, u64: 8, u128: 16, u256: 32, i8: 1, i16: 2, i32: 4, i64: 8, i128: 16, i256: 32 };

// Forms of an address that nobody can send where accounts have no indices. @polkadot/types takes both for an index.
const ADDRESS = 'sp_runtime::multiaddress::MultiAddress';
const NOT_SENT = ['Index', 'Raw'];

export function fromPolkadotJs(lookup) {
	const field = ({ type }) => type.toNumber();
	const types = [];
	for (const { id, type: { path, def } } of lookup.types) {
		const shape = { path: path.map(String).join('::') };
		if (def.isComposite) Object.assign(shape, { kind: 'fields', of: def.asComposite.fields.map(field) });
		else if (def.isTuple) Object.assign(shape, { kind: 'fields', of: def.asTuple.map((type) => type.toNumber()) });
		else if (def.isVariant) {
			const variants = def.asVariant.variants.map(({ name, index, fields, docs }) => ({
				name: name.toString(),
				index: index.toNumber(),
				of: fields.map(field),
				docs: docs.map(String).join(' ').trim(),
			}));
			const kept = shape.path === ADDRESS ? variants.filter(({ name }) => !NOT_SENT.includes(name)) : variants;
			Object.assign(shape, { kind: 'variants', variants: kept });
		} else if (def.isSequence) Object.assign(shape, { kind: 'sequence', of: def.asSequence.type.toNumber() });
		else if (def.isArray) Object.assign(shape, { kind: 'array', of: def.asArray.type.toNumber(), length: def.asArray.len.toNumber() });
		else if (def.isCompact) Object.assign(shape, { kind: 'compact', of: def.asCompact.type.toNumber() });
		else if (def.isPrimitive) Object.assign(shape, { kind: 'primitive', of: def.asPrimitive.type.toLowerCase() });
		else Object.assign(shape, { kind: def.type });
		types[id.toNumber()] = shape;
	}
	return types;
}

export function fromPapi(lookup) {
	const types = [];
	for (const { id, path, def: { tag, value } } of lookup) {
		const shape = { path: path.join('::') };
		if (tag === 'composite') Object.assign(shape, { kind: 'fields', of: value.map(({ type }) => type) });
		else if (tag === 'tuple') Object.assign(shape, { kind: 'fields', of: value });
		else if (tag === 'variant') {
			const variants = value.map(({ name, index, fields, docs }) => ({ name, index, of: fields.map(({ type }) => type), docs: docs.join(' ') }));
			Object.assign(shape, { kind: 'variants', variants });
		} else if (tag === 'sequence') Object.assign(shape, { kind: 'sequence', of: value });
		else if (tag === 'array') Object.assign(shape, { kind: 'array', of: value.type, length: value.len });
		else if (tag === 'compact') Object.assign(shape, { kind: 'compact', of: value });
		else if (tag === 'primitive') Object.assign(shape, { kind: 'primitive', of: value.tag });
		else Object.assign(shape, { kind: tag });
		types[id] = shape;
	}
	return types;
}

const bytes = (...parts) => Uint8Array.from(parts.flatMap((part) => [...part]));

export class Samples {
	#heights = new Map();

	// `known` has values by the path of their type, where not all that the type allows can be.
	constructor(types, known = {}) {
		this.types = types;
		this.known = known;
		this.#measure();
	}

	// How deep the shallowest value of each type is. A type without values, like an enum without variants, gets none.
	#measure() {
		const height = (id) => this.#heights.get(id) ?? Infinity;
		const deepest = (ids) => ids.reduce((most, id) => Math.max(most, 1 + height(id)), 0);
		const one = ({ kind, of, length, variants }) => {
			if (kind === 'fields') return deepest(of);
			if (kind === 'variants') return variants.reduce((least, variant) => Math.min(least, 1 + deepest(variant.of)), Infinity);
			if (kind === 'array') return length ? deepest([of]) : 0;
			if (kind === 'compact') return deepest([of]);
			// A sequence can be empty, but counts as deeper than a number, so that calls without calls inside are preferred.
			if (kind === 'sequence') return 1;
			if (kind === 'primitive') return 0;
			throw new Error(`a type of kind ${kind}, which nobody has taught this test`);
		};
		for (let changed = true; changed;) {
			changed = false;
			for (const [id, type] of this.types.entries()) {
				if (!type) continue;
				const found = one(type);
				if (found < height(id)) {
					this.#heights.set(id, found);
					changed = true;
				}
			}
		}
	}

	has(id) {
		return this.#heights.has(id);
	}

	// One value.
	one(id, depth = 0) {
		const { kind, of, length, variants, path } = this.types[id];
		if (this.known[path]) return this.known[path];
		if (kind === 'primitive') {
			if (of === 'str') return bytes([8], new TextEncoder().encode('ok'));
			if (of === 'char') return bytes([97, 0, 0, 0]);
			if (of === 'bool') return bytes([1]);
			if (!WIDTHS[of]) throw new Error(`the primitive ${of}, which nobody has taught this test`);
			// All bytes differ, so that bytes in a wrong order or of a wrong number show.
			return Uint8Array.from({ length: WIDTHS[of] }, (_, index) => index + 1);
		}
		if (kind === 'fields') return bytes(...of.map((field) => this.one(field, depth + 1)));
		if (kind === 'array') return bytes(...Array.from({ length }, () => this.one(of, depth + 1)));
		if (kind === 'sequence') {
			if (this.#isText(of)) return bytes([8], [111, 107]);
			return depth < DEEPEST && this.has(of) ? bytes([4], this.one(of, depth + 1)) : bytes([0]);
		}
		if (kind === 'compact') return this.#isEmpty(of) ? bytes() : bytes([4]);
		if (path.endsWith('generic::era::Era')) return bytes([0]);
		const height = (variant) => variant.of.reduce((most, field) => Math.max(most, this.#heights.get(field) ?? Infinity), 0);
		const least = Math.min(...variants.map(height));
		return this.variant(id, variants.find((variant) => height(variant) === least), depth);
	}

	// One value of this variant.
	variant(id, { index, of }, depth = 0) {
		return bytes([index], ...of.map((field) => this.one(field, depth + 1)));
	}

	// At least one value; of an enum one of each variant that has any.
	all(id) {
		const { kind, variants, path } = this.types[id];
		if (!this.has(id)) return [];
		// Not every two bytes are an era: immortal, and 64 blocks from block 0.
		if (path.endsWith('generic::era::Era')) return [bytes([0]), bytes([0x05, 0x00])];
		if (kind !== 'variants') return [this.one(id)];
		const possible = variants.filter((variant) => variant.of.every((field) => this.has(field)));
		return possible.map((variant) => this.variant(id, variant));
	}

	#isText(id) {
		const { kind, of } = this.types[id];
		return kind === 'primitive' && of === 'u8';
	}

	#isEmpty(id) {
		const { kind, of } = this.types[id];
		return kind === 'fields' && of.every((field) => this.#isEmpty(field));
	}
}

// The error of a pallet is four bytes whose meaning the pallet's number decides: here one of ours.
export function knownValues({ errors: [{ index, error }] }) {
	return { 'sp_runtime::ModuleError': bytes([index], Buffer.from(error.slice(2), 'hex')) };
}

// Every event and error of these pallets: which bytes a client finds, and what it should make of them.
export function vectors(samples, pallets) {
	const events = [];
	const errors = [];
	const hex = (value) => `0x${Buffer.from(value).toString('hex')}`;
	for (const { pallet, index, event, error } of pallets) {
		for (const variant of samples.types[event].variants) {
			const data = Uint8Array.of(index, ...samples.variant(event, variant));
			events.push({ pallet, index, name: variant.name, docs: variant.docs, data: hex(data) });
		}
		for (const { name, index: error_index, docs } of samples.types[error].variants) {
			errors.push({ pallet, index, name, docs, error: hex([error_index, 0, 0, 0]) });
		}
	}
	return { events, errors };
}
