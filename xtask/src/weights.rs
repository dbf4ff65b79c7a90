//! `cargo xtask weights`.

use std::{
	fs,
	path::{Path, PathBuf},
	process::Command,
	time::Instant,
};

use anyhow::{bail, ensure, Context, Result};

use crate::{
	fit::fit,
	measure::{Bench, Effort},
	report, root,
	runtime::Runtime,
	write::{self, Origin},
};

/// What to measure, and how.
#[derive(clap::Args)]
pub struct Options {
	/// Only these, by the names of `--list`.
	#[arg(long, value_delimiter = ',')]
	pallets: Vec<String>,
	/// Values of each parameter.
	#[arg(long, default_value_t = 20)]
	steps: u32,
	/// Measurements of each value.
	#[arg(long, default_value_t = 10)]
	repeats: u32,
	/// A runtime with benchmarks, instead of one that is built now.
	#[arg(long)]
	runtime: Option<PathBuf>,
	/// Only say what there is to measure.
	#[arg(long)]
	list: bool,
	/// Measure, but change no file.
	#[arg(long)]
	dry: bool,
	/// Words about the machine, for the head of the files.
	#[arg(long)]
	note: Option<String>,
}

/// Measures, writes, and prints what changed.
pub fn run(options: &Options) -> Result<()> {
	let path = match &options.runtime {
		Some(path) => path.clone(),
		None => build_runtime()?,
	};
	let runtime = Runtime::load(&path)?;
	let bench = Bench::new(&runtime, runtime.genesis("development", |_| Ok(()))?)?;
	let origin = origin(
		options.note.as_deref(),
		&format!("{} steps, up to {} repeats, compiled WASM", options.steps, options.repeats),
	)?;
	let effort = Effort { steps: options.steps, repeats: options.repeats };
	let (mut failed, mut written) = (Vec::new(), Vec::new());
	for list in bench.list()? {
		let pallet = String::from_utf8(list.pallet.clone())?;
		if !options.pallets.is_empty() && !options.pallets.contains(&pallet) {
			continue;
		}
		let start = Instant::now();
		let mut fits = Vec::new();
		for benchmark in &list.benchmarks {
			let name = String::from_utf8_lossy(&benchmark.name).into_owned();
			if options.list {
				println!("{pallet}::{name}");
				continue;
			}
			match bench.run(&list, benchmark, effort).and_then(|measured| fit(&measured)) {
				Ok(fit) => fits.push(fit),
				Err(error) => failed.push(format!("{pallet}::{name}: {error:#}")),
			}
		}
		if options.list || fits.is_empty() {
			continue;
		}
		eprintln!("{pallet}: {} benchmarks, {:.0} s", fits.len(), start.elapsed().as_secs_f64());
		let path = root()?.join(write::path(&pallet));
		let old = report::stated(&fs::read_to_string(&path).unwrap_or_default());
		report::differences(&pallet, &old, &fits).iter().for_each(|line| println!("{line}"));
		if !options.dry {
			fs::write(&path, write::file(&pallet, &fits, &origin)).with_context(|| format!("{}", path.display()))?;
			written.push(path);
		}
	}
	format_files(&written)?;
	if !failed.is_empty() {
		bail!("{} benchmarks failed:\n{}", failed.len(), failed.join("\n"));
	}
	Ok(())
}

/// Builds the runtime with its benchmarks, in a target folder of its own.
fn build_runtime() -> Result<PathBuf> {
	let root = root()?;
	let target = crate::target()?.join("benchmarks");
	eprintln!("building the runtime with its benchmarks in {}", target.display());
	let status = Command::new("cargo")
		.args(["build", "--locked", "--manifest-path"])
		.arg(root.join("xtask/wasm/Cargo.toml"))
		.env("CARGO_TARGET_DIR", &target)
		.env("WASM_BUILD_WORKSPACE_HINT", &root)
		.status()
		.context("cargo does not start")?;
	ensure!(status.success(), "the runtime does not build");
	Ok(target.join("debug/wbuild/towpath-runtime/towpath_runtime.wasm"))
}

/// What the head of each file says about the measurement.
pub fn origin(note: Option<&str>, effort: &str) -> Result<Origin> {
	let output = Command::new("date").args(["-u", "+%F"]).output().context("date does not start")?;
	let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
	let model = cpus
		.lines()
		.find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, model)| model.to_owned()));
	let note = note.map(|note| format!(" ({note})")).unwrap_or_default();
	Ok(Origin {
		date: String::from_utf8(output.stdout)?.trim().to_owned(),
		machine: format!("one core of {}{note}", model.unwrap_or_else(|| "an unknown processor".into())),
		effort: effort.to_owned(),
	})
}

/// Formats files as the rest of the project is.
pub fn format_files(paths: &[impl AsRef<Path>]) -> Result<()> {
	if paths.is_empty() {
		return Ok(());
	}
	let paths = paths.iter().map(AsRef::as_ref);
	let config = root()?.join("rustfmt.toml");
	let status =
		Command::new("rustfmt").args(["--edition", "2021", "--config-path"]).arg(config).args(paths).status()?;
	ensure!(status.success(), "rustfmt refuses what was written");
	Ok(())
}
