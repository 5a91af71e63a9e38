//! Sixty random schedules with each `cargo test`; `cargo run -p schedules` runs thousands.
//!
//! `SCHEDULE_SEED=17 cargo test -p schedules random` runs one again, exactly.

#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::ops::Range;

use schedules::Explorer;

/// From the first to before the second, on a thread each.
const SEEDS: [(u64, u64); 2] = [(1, 31), (31, 61)];

#[test]
fn whatever_goes_wrong_everybody_has_one_certificate_that_was_paid_once_or_an_honest_reason() {
    let wanted = std::env::var_os("SCHEDULE_SEED").map(|seed| seed.to_str().unwrap().parse::<u64>().unwrap());
    let lanes = match wanted {
        Some(seed) => vec![(seed, seed + 1)],
        None => SEEDS.to_vec(),
    };
    let running: Vec<_> =
        lanes.into_iter().map(|(first, end)| std::thread::spawn(move || explore(first..end))).collect();
    for lane in running {
        lane.join().unwrap();
    }
}

fn explore(seeds: Range<u64>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut explorer = Explorer::new().await;
        for seed in seeds {
            if let Some(found) = explorer.run(seed, None).await.counter_example {
                let shortest = explorer.shrink(found).await;
                panic!("{shortest}");
            }
        }
    });
}

#[test]
fn a_seed_is_a_schedule_exactly() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut traces = Vec::new();
        for _ in 0..2 {
            let mut explorer = Explorer::new().await;
            for seed in [1, 4, 9] {
                traces.push(explorer.run(seed, None).await.trace);
            }
        }
        let again = traces.split_off(3).concat();
        let traces = traces.concat();
        let parted = traces.iter().zip(&again).position(|(line, other)| line != other);
        let around = parted.map(|line| (&traces[line.saturating_sub(5)..=line], &again[line]));
        assert_eq!(around, None, "the same seed went another way");
        assert_eq!(traces.len(), again.len());
    });
}
