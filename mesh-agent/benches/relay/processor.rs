//! Processor time, as the kernel tells it.

use std::{fs, time::Duration};

use anyhow::{Context, Result};

/// The kernel tells times in hundredths of a second (USER_HZ).
const TICK: Duration = Duration::from_millis(10);

/// What a process has used, its threads included.
pub fn of_process(process: u32) -> Result<Duration> {
	let text = fs::read_to_string(format!("/proc/{process}/stat"))?;
	// The name, in brackets, may contain anything.
	let (_, fields) = text.rsplit_once(')').context("a process has a name")?;
	let ticks: Option<u32> =
		fields.split_whitespace().skip(11).take(2).map(|field| field.parse::<u32>().ok()).sum::<Option<u32>>();
	Ok(TICK * ticks.context("a process's times")?)
}

/// What the machine has been busy for, all processors together.
pub fn of_machine() -> Result<Duration> {
	let text = fs::read_to_string("/proc/stat")?;
	let line = text.lines().next().context("times of the machine")?;
	let fields: Option<Vec<u32>> = line.split_whitespace().skip(1).map(|field| field.parse().ok()).collect();
	let fields = fields.context("times of the machine")?;
	// user, nice, system, idle, iowait, irq, softirq
	let busy = [0, 1, 2, 5, 6].iter().filter_map(|index| fields.get(*index)).sum::<u32>();
	Ok(TICK * busy)
}
