//! Thousands of random schedules, on every core. See the library.

use std::{
    collections::BTreeMap,
    io::Write,
    process::ExitCode,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use schedules::{CounterExample, Explorer, Figures};

const USAGE: &str = "usage: schedules [--schedules N] [--first SEED] [--lanes N] [--found N] [--seed SEED] [--steps N]

  --schedules N   so many, 1000 unless given
  --first SEED    the seed of the first one; the others follow
  --lanes N       so many at the same time, 2 unless given
  --found N       stop after so many counter-examples, 5 unless given
  --seed SEED     this one only, with its trace
  --steps N       and only its first choices
";

const OPTIONS: [&str; 6] = ["schedules", "first", "lanes", "found", "seed", "steps"];

struct Shared {
    next: AtomicU64,
    end: u64,
    most_found: usize,
    figures: Mutex<Figures>,
    found: Mutex<Vec<CounterExample>>,
    begun: Instant,
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(problem) => {
            say(&format!("{problem}\n{USAGE}"));
            return ExitCode::FAILURE;
        }
    };
    let option = |name: &str, otherwise: u64| options.get(name).copied().unwrap_or(otherwise);
    if let Some(seed) = options.get("seed") {
        return one(*seed, options.get("steps").copied());
    }
    let first = option("first", 1);
    let shared = Arc::new(Shared {
        next: AtomicU64::new(first),
        end: first.saturating_add(option("schedules", 1_000)),
        most_found: usize::try_from(option("found", 5)).unwrap_or(usize::MAX),
        figures: Mutex::default(),
        found: Mutex::default(),
        begun: Instant::now(),
    });
    let lanes: Vec<_> = (0..option("lanes", 2).max(1))
        .map(|_| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || runtime().block_on(explore(&shared)))
        })
        .collect();
    // Every one is waited for.
    let broken = lanes.into_iter().filter_map(|lane| lane.join().err()).count();
    let found = shared.found.lock().unwrap_or_else(PoisonError::into_inner);
    for counter_example in found.iter() {
        say(&format!("{counter_example}\n"));
    }
    let figures = shared.figures.lock().unwrap_or_else(PoisonError::into_inner);
    say(&figures.to_json(shared.begun.elapsed().as_secs_f64()).to_string());
    if broken == 0 && found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// `--name number`, in pairs.
fn options() -> Result<BTreeMap<String, u64>, String> {
    let mut options = BTreeMap::new();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let name = word.strip_prefix("--").filter(|name| OPTIONS.contains(name));
        let name = name.ok_or_else(|| format!("{word} is not understood"))?;
        let number = words.next().and_then(|number| number.parse().ok());
        options.insert(name.to_owned(), number.ok_or_else(|| format!("{word} needs a number"))?);
    }
    Ok(options)
}

fn one(seed: u64, steps: Option<u64>) -> ExitCode {
    let runtime = runtime();
    let outcome = runtime.block_on(async { Explorer::new().await.run(seed, steps).await });
    match outcome.counter_example {
        Some(counter_example) => {
            say(&counter_example.to_string());
            ExitCode::FAILURE
        }
        None => {
            say(&outcome.figures.to_json(0.0).to_string());
            ExitCode::SUCCESS
        }
    }
}

async fn explore(shared: &Shared) {
    let mut explorer = Explorer::new().await;
    loop {
        let seed = shared.next.fetch_add(1, Ordering::Relaxed);
        if seed >= shared.end {
            return;
        }
        let outcome = explorer.run(seed, None).await;
        let figures = {
            let mut figures = shared.figures.lock().unwrap_or_else(PoisonError::into_inner);
            figures.add(&outcome.figures);
            figures.clone()
        };
        if figures.schedules.is_multiple_of(500) {
            // A run that is cut off has said something.
            say(&figures.to_json(shared.begun.elapsed().as_secs_f64()).to_string());
        } else if figures.schedules.is_multiple_of(100) {
            say(&format!("{} schedules in {} seconds", figures.schedules, shared.begun.elapsed().as_secs()));
        }
        if let Some(counter_example) = outcome.counter_example {
            say(&format!("schedule {seed}: {}", counter_example.what));
            let shortest = explorer.shrink(counter_example).await;
            let mut found = shared.found.lock().unwrap_or_else(PoisonError::into_inner);
            found.push(shortest);
            if found.len() >= shared.most_found {
                shared.next.store(shared.end, Ordering::Relaxed);
            }
        }
    }
}

fn runtime() -> tokio::runtime::Runtime {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    built.unwrap_or_else(|error| panic!("there is no runtime: {error}"))
}

/// A closed pipe is no reason to stop.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
