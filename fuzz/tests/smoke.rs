//! All targets for some seconds: what is in `corpus/`, and changes of it from a fixed seed. `make fuzz` takes longer and sees more.

use std::{fs, panic, path::Path};

use rand_chacha::{rand_core::RngCore, rand_core::SeedableRng, ChaCha20Rng};
use towpath_fuzz::{heap::Counting, mutate::mutate, target, Target, TARGETS};

#[global_allocator]
static HEAP: Counting = Counting;

/// Most bytes that the corpora may have in the repository, all together.
const MOST: usize = 512 * 1024;

fn corpus(target: &Target) -> Vec<Vec<u8>> {
	let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name);
	let entries = fs::read_dir(&folder).expect("every target has a corpus");
	let mut files: Vec<_> = entries.map(|entry| entry.expect("the folder can be read").path()).collect();
	files.sort();
	files.iter().map(|path| fs::read(path).expect("the file can be read")).collect()
}

fn run(target: &Target, bytes: &[u8]) {
	if let Err(why) = panic::catch_unwind(|| (target.run)(bytes)) {
		eprintln!("target {} fails with {}", target.name, hex::encode(bytes));
		panic::resume_unwind(why);
	}
}

fn smoke(target: &Target) {
	let corpus = corpus(target);
	assert!(!corpus.is_empty());
	corpus.iter().for_each(|bytes| run(target, bytes));
	let mut rng = ChaCha20Rng::from_seed([1; 32]);
	for _ in 0..target.smoke {
		let mut bytes = corpus[rng.next_u32() as usize % corpus.len()].clone();
		let other = &corpus[rng.next_u32() as usize % corpus.len()];
		mutate(&mut bytes, other, target.longest, &mut rng);
		run(target, &bytes);
	}
}

#[test]
fn parsers_keep_their_promises_over_their_corpora_and_changes_of_them() {
	TARGETS.iter().filter(|target| target.name != "agent").for_each(smoke);
}

#[test]
fn an_agent_survives_whatever_its_neighbours_do() {
	smoke(target("agent").expect("it is one of the targets"));
}

#[test]
fn corpora_are_small_and_of_targets_that_exist() {
	let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
	for entry in fs::read_dir(folder).expect("the folder is there") {
		let name = entry.expect("the folder can be read").file_name();
		assert!(name.to_str().and_then(target).is_some(), "{name:?} is no target's");
	}
	assert!(TARGETS.iter().flat_map(corpus).map(|bytes| bytes.len()).sum::<usize>() <= MOST);
}
