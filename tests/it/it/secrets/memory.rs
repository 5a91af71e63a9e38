//! The memory of a running program: what a core of it would hold, without stopping it.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
};

/// Every part that the program can have written to: its heap, its stacks and its data. What it only reads is its own file
/// and libraries, in which nothing of a run stands.
pub(super) fn written_by(process: u32) -> Vec<Vec<u8>> {
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let memory = File::open(format!("/proc/{process}/mem")).unwrap();
    let ranges = maps.lines().filter_map(|line| {
        let mut columns = line.split_ascii_whitespace();
        let (range, rights) = (columns.next()?, columns.next()?);
        let (begin, end) = range.split_once('-')?;
        let number = |text| u64::from_str_radix(text, 16).unwrap();
        rights.starts_with("rw").then(|| (number(begin), number(end)))
    });
    let read = ranges.filter_map(|(begin, end)| {
        let mut bytes = vec![0; usize::try_from(end - begin).unwrap()];
        // Between two looks a thread may have ended, and its stack with it.
        memory.read_exact_at(&mut bytes, begin).ok().map(|()| bytes)
    });
    read.collect()
}
