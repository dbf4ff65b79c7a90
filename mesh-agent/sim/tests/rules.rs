//! `docs/rules.md` says which test shows which rule. This keeps it true: what it names must be there, and no rule and no line
//! of the threat model may be missing.

#![allow(clippy::unwrap_used)]

use std::{
	collections::{BTreeMap, BTreeSet},
	fs,
	path::{Path, PathBuf},
};

/// Folders without source of ours.
const SKIPPED: [&str; 3] = ["target", "node_modules", ".git"];

fn root() -> PathBuf {
	Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The cells of every row of every table in a text.
fn rows(text: &str) -> Vec<Vec<&str>> {
	let inner = |line: &'_ str| line.trim().strip_prefix('|')?.strip_suffix('|').map(str::len);
	let cells = |line| inner(line).map(|length| &line.trim()[1..=length]);
	text.lines().filter_map(cells).map(|line| line.split('|').map(str::trim).collect()).collect()
}

/// What stands in backticks, in order.
fn quoted(text: &str) -> Vec<&str> {
	text.split('`').skip(1).step_by(2).collect()
}

/// The words before the table, of which every path's first part is short for a folder.
fn folders(text: &str) -> BTreeMap<String, String> {
	let short = |row: Vec<&str>| match (&row[..], quoted(row[0]).first()) {
		([_, folder], Some(short)) => Some(((*short).into(), (*quoted(folder).first()?).into())),
		_ => None,
	};
	rows(text).into_iter().filter_map(short).collect()
}

/// Every function below a `#[test]`, or one of another runtime's, by file.
fn tests_in(source: &str) -> BTreeSet<String> {
	let (mut found, mut marked) = (BTreeSet::new(), false);
	for line in source.lines().map(str::trim) {
		if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
			marked = true;
		} else if let Some(name) = line.trim_start_matches("async ").strip_prefix("fn ") {
			if std::mem::take(&mut marked) {
				found.insert(name.split(['(', '<']).next().unwrap().into());
			}
		} else if !line.starts_with("#[") && !line.starts_with("//") {
			marked = false;
		}
	}
	found
}

/// The tests of every source file of the repository.
fn all_tests(folder: &Path, found: &mut BTreeMap<PathBuf, BTreeSet<String>>) {
	for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
		let (path, name) = (entry.path(), entry.file_name());
		if entry.file_type().unwrap().is_dir() {
			if !SKIPPED.iter().any(|skipped| name == *skipped) {
				all_tests(&path, found);
			}
		} else if path.extension().is_some_and(|extension| extension == "rs") {
			found.insert(path.clone(), tests_in(&fs::read_to_string(&path).unwrap()));
		}
	}
}

struct Table {
	root: PathBuf,
	text: String,
	folders: BTreeMap<String, String>,
	tests: BTreeMap<PathBuf, BTreeSet<String>>,
}

impl Table {
	fn read() -> Self {
		let root = root();
		let text = fs::read_to_string(root.join("docs/rules.md")).unwrap();
		let folders = folders(&text);
		let mut tests = BTreeMap::new();
		all_tests(&root, &mut tests);
		Self { root, text, folders, tests }
	}

	fn file(&self, name: &str) -> Option<PathBuf> {
		let (short, rest) = name.split_once('/')?;
		Some(self.root.join(self.folders.get(short)?).join(rest))
	}

	/// The tests that a cell names; what is wrong with it goes to `wrong`.
	fn named(&self, cell: &str, wrong: &mut Vec<String>) -> usize {
		let (mut file, mut count) = (None, 0);
		for word in quoted(cell) {
			if word.ends_with(".rs") {
				file = self.file(word).filter(|path| self.tests.contains_key(path));
				if file.is_none() {
					wrong.push(format!("there is no {word}"));
				}
			} else if file.as_ref().is_some_and(|path| self.tests[path].contains(word)) {
				count += 1;
			} else {
				let elsewhere = self.tests.iter().find(|(_, tests)| tests.contains(word));
				let place = elsewhere.map(|(path, _)| path.strip_prefix(&self.root).unwrap().display().to_string());
				let hint = place.map_or("nowhere".into(), |place| format!("but in {place}"));
				wrong.push(format!("test {word} is not in the file that it stands behind, {hint}"));
			}
		}
		count
	}
}

#[test]
fn every_file_and_test_that_the_rules_name_is_there() {
	let table = Table::read();
	let mut wrong = Vec::new();
	let mut count = 0;
	for row in rows(&table.text) {
		let [.., code, tests] = &row[..] else { panic!("a row of one cell: {row:?}") };
		if row.len() == 4 {
			let missing = quoted(code).into_iter().filter(|word| !table.file(word).is_some_and(|path| path.exists()));
			wrong.extend(missing.map(|word| format!("there is no {word}")));
		}
		if row.len() > 2 {
			count += table.named(tests, &mut wrong);
		}
	}
	assert!(wrong.is_empty(), "docs/rules.md is out of date:\n{}", wrong.join("\n"));
	assert!(count > 100, "{count} tests: the tables were not read");
}

#[test]
fn every_rule_has_a_test() {
	let table = Table::read();
	let families = [("T", 9), ("M", 6), ("P", 3), ("R", 4), ("C", 8)];
	let rules = families.into_iter().flat_map(|(family, last)| (1..=last).map(move |n| format!("{family}{n}")));
	let rows = rows(&table.text);
	for rule in rules {
		let of_it: Vec<_> = rows.iter().filter(|row| row[0] == rule).collect();
		let [row] = of_it[..] else { panic!("{rule} has {} rows", of_it.len()) };
		assert!(table.named(row.last().unwrap(), &mut Vec::new()) > 0, "{rule} has no test");
	}
}

#[test]
fn every_line_of_the_threat_model_has_its_tests_or_says_that_there_are_none() {
	let table = Table::read();
	let model = fs::read_to_string(table.root.join("docs/threat-model.md")).unwrap();
	let attacks = model.split("\n## ").find(|part| part.starts_with("4. ")).unwrap();
	let rows_of_model = rows(attacks);
	assert!(rows_of_model.len() > 40, "the threat model was not read");
	let known = rows(&table.text);
	for attack in rows_of_model.iter().map(|row| row[0]).filter(|attack| !attack.starts_with("---")) {
		let row = known.iter().find(|row| row[0] == attack && row.len() == 3);
		let tests = row.unwrap_or_else(|| panic!("docs/rules.md has no line for: {attack}")).last().unwrap();
		let says_so = tests.starts_with("none") || *tests == "tests";
		assert!(says_so || table.named(tests, &mut Vec::new()) > 0, "neither a test nor `none` for: {attack}");
	}
}

#[test]
fn a_test_is_found_below_its_attribute_and_nowhere_else() {
	let source = "#[test]\n\tfn one() {\n#[test]\n#[should_panic]\n// why\nasync fn two() {\nfn helper() {\n#[tokio::test]\nfn three(x in 0..1)";
	assert_eq!(tests_in(source), ["one", "three", "two"].map(String::from).into());
}
