//! What is logged, to standard error, and how much of it. The level can be changed while the program runs.

use std::sync::OnceLock;

use tracing_subscriber::{fmt, reload::Handle, EnvFilter};

/// Longest text of a level, in bytes.
const MAX_LEVEL: usize = 256;

type Reload = Box<dyn Fn(Option<EnvFilter>) -> Result<String, String> + Send + Sync>;

/// The way to the filter in use.
static FILTER: OnceLock<Reload> = OnceLock::new();

/// Begins to log.
pub fn init(json: bool) {
	use std::io::IsTerminal;
	let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
	let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
	let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).with_ansi(colours);
	match json {
		true => {
			let builder = builder.json().with_filter_reloading();
			keep(builder.reload_handle());
			builder.init();
		}
		false => {
			let builder = builder.with_filter_reloading();
			keep(builder.reload_handle());
			builder.init();
		}
	}
}

fn keep<S: 'static>(handle: Handle<EnvFilter, S>) {
	let reload = move |filter: Option<EnvFilter>| {
		let why = |error: tracing_subscriber::reload::Error| error.to_string();
		if let Some(filter) = filter {
			handle.reload(filter).map_err(why)?;
		}
		handle.with_current(EnvFilter::to_string).map_err(why)
	};
	let _ = FILTER.set(Box::new(reload));
}

/// What is logged now.
pub fn level() -> Option<String> {
	FILTER.get().and_then(|filter| filter(None).ok())
}

/// Logs so much from now on: a level, or a list of levels for parts of the program, as in `RUST_LOG`.
pub fn set(level: &str) -> Result<(), String> {
	let example = "a level is error, warn, info, debug or trace, or a list like info,towpath_proto=debug";
	if level.len() > MAX_LEVEL {
		return Err(format!("{example}; at most {MAX_LEVEL} bytes"));
	}
	// What has neither comma nor sign is a level, or a part of the program that has all of its messages logged: a slip.
	let plain = level.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
	let known = ["off", "error", "warn", "info", "debug", "trace"].contains(&level.to_ascii_lowercase().as_str());
	if plain && !known {
		return Err(format!("{level:?}: {example}"));
	}
	let filter = EnvFilter::try_new(level).map_err(|error| format!("{level:?}: {error}; {example}"))?;
	let reload = FILTER.get().ok_or("this program does not log through a filter that can be changed")?;
	reload(Some(filter)).map(drop)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn what_is_no_level_is_refused_with_an_example() {
		for bad in ["loud", "", "info,=", "towpath=loud", &"x".repeat(300)] {
			let error = set(bad).unwrap_err();
			assert!(error.contains("debug"), "{bad}: {error}");
		}
	}
}
