// What the developer's pages (chain state, constants, extrinsics, runtime calls) can show of the whole chain: each type, each
// stored item, each constant. Whatever is decoded must be the same bytes when encoded again.

import { must } from '../calls.mjs';
import { Samples, fromPolkadotJs, knownValues } from '../samples.mjs';

// Keys that are read of one map. More of the same shape would show nothing new.
const KEYS = 20;

// Types that @polkadot/types has a class of its own for, whose bytes are more than their type says. Extrinsics are decoded
// from blocks instead.
const OWN_CLASSES = ['sp_runtime::generic::unchecked_extrinsic::UncheckedExtrinsic'];

const same = (found, expected) => found.length === expected.length && found.every((byte, index) => byte === expected[index]);
const hex = (bytes) => `0x${Buffer.from(bytes).toString('hex')}`;

function checkRoundTrip(what, value, expected) {
	must(same(value.toU8a(), expected), `${what}: ${hex(expected)} became ${hex(value.toU8a())}`);
	value.toHuman();
	value.toJSON();
}

export async function types(ask, { api, vectors }) {
	const { registry } = api;
	const { findUnknownExtensions } = await import('@polkadot/types/extrinsic/signedExtensions');
	const { stringCamelCase: camel } = await import('@polkadot/util');
	const extensions = registry.signedExtensions;
	await ask(`transaction extensions: ${extensions.join(', ')}`, () => findUnknownExtensions(extensions), (unknown) =>
		must(unknown.length === 0, `unknown: ${unknown.join(', ')}`));
	await ask('registry.unknownTypes', () => registry.unknownTypes, (unknown) => unknown.length === 0);

	const shapes = fromPolkadotJs(registry.lookup);
	const samples = new Samples(shapes, knownValues(vectors));
	let [made, empty] = [0, 0];
	await ask('all types of the metadata, every variant of each', () => {
		const wrong = [];
		for (const [id, shape] of shapes.entries()) {
			if (!shape || OWN_CLASSES.includes(shape.path)) continue;
			const type = registry.createLookupType(id);
			// A compact nothing is no bytes, and is only in addresses that nobody sends.
			const values = samples.all(id).filter(({ length }) => length > 0 || shape.kind !== 'compact');
			empty += values.length === 0;
			for (const value of values) {
				made += 1;
				try {
					checkRoundTrip(`${id} ${shape.path}`, registry.createType(type, value), value);
				} catch (error) {
					wrong.push(`${id} ${shape.path || shape.kind}: ${error.message}`);
				}
			}
		}
		must(wrong.length === 0, wrong.join('\n'));
	}, () => made > shapes.length - empty);

	await ask('all constants (api.consts)', () => {
		let count = 0;
		for (const { name, constants } of registry.metadata.pallets) {
			const decoded = api.consts[camel(name.toString())];
			for (const constant of constants) {
				checkRoundTrip(`${name}.${constant.name}`, decoded[camel(constant.name.toString())], constant.value.toU8a(true));
				count += 1;
			}
		}
		return count;
	}, (count) => count > 50);

	await ask('all calls have a name and arguments with types (api.tx)', () => Object.entries(api.tx).flatMap(([section, calls]) =>
		Object.entries(calls).map(([method, { meta }]) => `${section}.${method}(${meta.args.map(({ type }) => registry.createType(type.toString()).toRawType())})`)),
	(calls) => calls.length > 100);

	const hash = await api.rpc.chain.getFinalizedHead();
	const at = await api.at(hash);
	for (const { name, storage } of registry.metadata.pallets) {
		if (!storage.isSome) continue;
		const pallet = camel(name.toString());
		for (const { name: item, modifier, type } of storage.unwrap().items) {
			const query = at.query[pallet][camel(item.toString())];
			await ask(`query.${pallet}.${camel(item.toString())}${type.isMap ? '.keys and each of them' : ''}`, async () => {
				must(typeof query === 'function', 'api.query does not have it');
				const keys = type.isMap ? await query.keys() : [query.key()];
				for (const key of keys.slice(0, KEYS)) {
					const raw = await api.rpc.state.getStorage.raw(key, hash);
					const value = type.isMap ? await query(...key.args) : await query();
					value.toHuman();
					// Nothing is stored, so that it is the default.
					if (raw === null) continue;
					checkRoundTrip('the stored value', modifier.isOptional ? value.unwrap() : value, Buffer.from(raw.slice(2), 'hex'));
				}
			}).catch(() => {});
		}
	}
}
