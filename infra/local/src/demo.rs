//! The whole job on one machine: simulators of every vendor, the application, and an operator who does by the API what
//! a newcomer would do in the console.

mod operator;
mod progress;
mod quirks;
mod report;
mod rest;
mod vendors;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use clap::Args;
use domain::operator::Role;
use flow::{Deployment, Flow, VendorEndpoints};
use jiff::{SignedDuration, Timestamp};
use ports::Clock;
use tokio::net::TcpListener;

use crate::{
    platform::LocalPlatform,
    runner::{self, Pace},
};
use operator::{Counts, Imported, Operator};
use progress::Progress;
pub use quirks::Quirk;
pub use report::End;
use report::{Found, Report};
use vendors::Vendors;

/// How the demonstration goes.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// How many people the organisation has.
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub people: u32,
    /// Leave when nothing moves by itself any more. The exit status is 0 if every certificate is in Intune and on its
    /// device; 3 if something waits for a person, which is said with its cause; 1 if something is wrong.
    #[arg(long)]
    pub once: bool,
    /// Print one JSON object on the last line.
    #[arg(long)]
    pub json: bool,
    /// Keep everything in this folder, and go on from it when it exists.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Decides names, keys of the simulators and their faults.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Let a vendor fail: CALL=FAULT, such as sslcom.create=lose-answer. FAULT is one of fail, drop, lose-answer,
    /// fail-after, throttle, slow, malformed; it happens once for each enrollment on sslcom.create, else once; with
    /// a colon and a number (graph.pfx_create=throttle:5) that many times; with :always each time.
    #[arg(long, value_name = "CALL=FAULT")]
    pub fault: Vec<String>,
    /// Let a vendor answer a question that its documents leave open in this way; any number of these, one for each
    /// question.
    #[arg(long, value_name = "NAME", value_parser = quirks::parser())]
    pub vendor_quirk: Vec<&'static Quirk>,
    /// A combination of quirks and lost answers that follows from this number. It is printed as options.
    #[arg(long, value_name = "SEED", conflicts_with = "vendor_quirk")]
    pub random_quirks: Option<u64>,
    /// Tell the application the CA's intermediate certificates, as sslcom.intermediates of a deployment file does.
    #[arg(long)]
    pub known_intermediates: bool,
}

/// Does the job and shows it, and says how it ended.
pub async fn run(mut options: Options) -> anyhow::Result<End> {
    if let Some(seed) = options.random_quirks {
        let (quirks, faults) = quirks::random(seed);
        options.vendor_quirk = quirks;
        options.fault.extend(faults);
        progress::print(&options.as_arguments());
    }
    let started = Instant::now();
    let scratch;
    let data = match &options.data {
        Some(data) => data.clone(),
        None => {
            scratch = tempfile::tempdir().context("no temporary folder can be made")?;
            scratch.path().to_owned()
        }
    };
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("no port of this machine is free")?;
    let base_url = format!("http://{}", listener.local_addr()?);
    let vendors = Vendors::start(&options, &data.join("vendors"), &base_url).await?;
    let intermediates = options.known_intermediates.then(|| vendors.intermediates());
    let app = Application::start(&data.join("application"), &vendors, listener, &base_url, intermediates)?;

    let progress = Progress::new(&options);
    let operator = Operator::new(&base_url, app.token.clone())?;
    let worked = work(&options, &vendors, &operator, &progress, started).await;
    progress.finish();
    let report = match worked {
        Ok(report) => report,
        Err(error) => {
            app.running.stop().await?;
            return Err(error);
        }
    };
    progress::print(&report.table());
    if !options.once {
        progress::print(&format!(
            "\nThe page, signed in once:\n{base_url}/#ticket={}\nThe API is described at {base_url}/openapi.json; it wants the header\nAuthorization: Bearer {}\nCtrl-C stops.",
            app.access.one_time_ticket("newcomer", Role::Admin, Timestamp::now()),
            app.token,
        ));
        tokio::signal::ctrl_c().await.context("Ctrl-C cannot be listened for")?;
    }
    app.running.stop().await?;
    if options.json {
        progress::print(&report.json());
    }
    Ok(report.end())
}

impl Options {
    /// What is chosen about the vendors, as it can be typed again.
    fn as_arguments(&self) -> String {
        let quirks = self.vendor_quirk.iter().map(|quirk| format!("--vendor-quirk {}", quirk.name));
        let faults = self.fault.iter().map(|fault| format!("--fault {fault}"));
        let all: Vec<_> = quirks.chain(faults).collect();
        if all.is_empty() { "no quirk".to_owned() } else { all.join(" ") }
    }
}

/// What the operator does, from the settings to the last device.
async fn work(
    options: &Options,
    vendors: &Vendors,
    operator: &Operator,
    progress: &Progress,
    started: Instant,
) -> anyhow::Result<Report> {
    let integration = operator.connect(vendors).await?;
    progress.say("connected: settings saved, Authorize done");
    let mut import = operator.import_people(&integration, progress).await?;
    if import.problem.is_none() && vendors.make_a_second_import_worthwhile() {
        let again = operator.import_again(&integration, progress).await?;
        import.problem = again.problem;
    }
    let Imported { people, problem } = import;
    if let Some(problem) = problem {
        let waits = vec![operator.refused(&integration, "import", problem).await?];
        return Ok(Report::new(
            options,
            people,
            &Counts::default(),
            vendors,
            started,
            Found { waits, wrong: Vec::new() },
        ));
    }
    let batch = operator.approve_everybody(&integration, progress).await?;
    operator.watch(&integration, &batch, vendors, progress).await?;
    let counts = operator.counts(&integration, &batch).await?;
    let found = operator.look_at_what_rests(&integration, &batch, &counts, vendors).await?;
    Ok(Report::new(options, people, &counts, vendors, started, found))
}

/// The application under test, as `serve` would start it.
struct Application {
    running: runner::Running,
    access: web::Access,
    token: String,
}

impl Application {
    fn start(
        data: &Path,
        vendors: &Vendors,
        listener: TcpListener,
        base_url: &str,
        intermediates: Option<String>,
    ) -> anyhow::Result<Self> {
        let clock: Clock = Arc::new(Timestamp::now);
        let platform = LocalPlatform::open(data, clock.clone())?;
        let mut deployment = deployment(base_url)?;
        if let Some(text) = intermediates {
            deployment.intermediates = pki::Bundle::of_authorities(text.as_bytes())?;
        }
        let flow = Flow::new(platform.clone(), endpoints(vendors)?, deployment, clock.clone())?;
        let token = random_token()?;
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
        let mut token_sha256 = [0; 32];
        token_sha256.copy_from_slice(hash.as_ref());
        let name = "demonstration".to_owned();
        let access = web::Access::new(vec![web::ApiToken { name, token_sha256, role: Role::Admin }]);
        let hosts = Some(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]);
        let router = web::router(flow.clone(), access.clone(), web::Options { hosts, ..web::Options::default() });
        let pace = Pace { sweep_every: Duration::from_millis(200), ..Pace::default() };
        let running = runner::start(&platform, &flow, router, listener, &clock, pace);
        Ok(Self { running, access, token })
    }
}

fn endpoints(vendors: &Vendors) -> anyhow::Result<VendorEndpoints> {
    let mut sslcom = sslcom::Endpoint::at(vendors.sslcom().parse()?);
    sslcom.create_timeout = PATIENCE;
    // A request that may be under way is handed in again after three of these.
    sslcom.answer_timeout = PATIENCE;
    sslcom.first_page = 0;
    let microsoft = microsoft::Endpoints::new(vendors.entra().parse()?, vendors.graph().parse()?)?;
    Ok(VendorEndpoints { sslcom, statuses: sslcom::StatusTable::default(), microsoft: Some(microsoft) })
}

/// With the simulators, which answer at once unless they are told to be slow.
const PATIENCE: Duration = Duration::from_secs(3);

/// As in production, but in seconds where production waits for minutes: the simulators answer at once.
fn deployment(base_url: &str) -> anyhow::Result<Deployment> {
    let seconds = |list: &[i64]| list.iter().copied().map(SignedDuration::from_secs).collect();
    let base = format!("{base_url}/");
    Ok(Deployment {
        public_url: Some(base.parse()?),
        redirect_url: format!("{base}oauth/callback").parse()?,
        products: vendors::products()?,
        purchase_window: SignedDuration::from_secs(3),
        quiet_time: SignedDuration::from_secs(8),
        look_up_after: seconds(&[1, 2, 4]),
        poll_after: seconds(&[1, 2, 5, 10]),
        read_back_after: seconds(&[0, 1, 2]),
        retry_after: SignedDuration::from_millis(250),
        failures_allowed: 6,
        released_per_sweep: 200,
        ..Deployment::default()
    })
}

/// New for every run, and nowhere but in memory and on this terminal.
fn random_token() -> anyhow::Result<String> {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
