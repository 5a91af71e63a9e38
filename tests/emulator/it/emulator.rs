//! MiniStack in a process of its own, which ends with this one however this one ends, and an operator of its account.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

use serde_json::{Value, json};

use crate::told;

/// A machine that also compiles may need a while.
const UNTIL_IT_LISTENS: Duration = Duration::from_secs(90);

pub(crate) const REGION: &str = "us-east-1";

/// A running emulator. Dropping it ends it and every bootstrap that it runs.
pub(crate) struct Emulator {
    endpoint: String,
    folder: PathBuf,
    process: Child,
}

impl Emulator {
    /// Starts one with its log and its files in a folder of this name. `calls_to`: where the functions reach AWS; the
    /// emulator itself unless something stands in between.
    pub(crate) async fn start(name: &str, calls_to: Option<&str>) -> Self {
        let folder = told("EMULATOR_FOLDER").join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(folder.join("tmp")).unwrap();
        let port = free_port();
        let endpoint = format!("http://127.0.0.1:{port}");
        let log = File::create(folder.join("emulator.log")).unwrap();
        let process = clean(&told("EMULATOR_PYTHON"), &folder)
            .arg(beside("launcher.py"))
            .envs([
                // What the bootstraps inherit is what AWS would set, and how to reach it.
                ("AWS_ENDPOINT_URL", calls_to.unwrap_or(&endpoint)),
                ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
                // What is signed has to be allowed, as on AWS.
                ("AUTH", "true"),
                // Reachable from this machine alone.
                ("BIND_HOST", "127.0.0.1"),
                ("GATEWAY_PORT", &port.to_string()),
                ("IOT_MTLS_ENABLED", "0"),
            ])
            .process_group(0)
            // The launcher ends with this pipe.
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut emulator = Self { endpoint, folder, process };
        emulator.listens().await;
        emulator
    }

    async fn listens(&mut self) {
        let http = crate::http();
        let health = format!("{}/_ministack/health", self.endpoint);
        let mut glances = tokio::time::interval(Duration::from_millis(100));
        let listening = async {
            while !http.get(&health).send().await.is_ok_and(|answer| answer.status().is_success()) {
                glances.tick().await;
                let ended = self.process.try_wait().unwrap();
                assert!(ended.is_none(), "the emulator ended: {}", self.log().display());
            }
        };
        let listens = tokio::time::timeout(UNTIL_IT_LISTENS, listening).await;
        assert!(listens.is_ok(), "the emulator does not listen: {}", self.log().display());
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the emulator and every bootstrap wrote.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("emulator.log")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
        // The functions' programs, unpacked: 200 MB. The log stays.
        let _ = fs::remove_dir_all(self.folder.join("tmp"));
    }
}

/// The emulator of tests that need nothing deployed. It ends with this process.
pub(crate) async fn shared() -> &'static Emulator {
    static SHARED: tokio::sync::OnceCell<Emulator> = tokio::sync::OnceCell::const_new();
    SHARED.get_or_init(async || Emulator::start("shared", None).await).await
}

/// Somebody with every right in the emulated account: each call is one of boto3.
#[derive(Clone)]
pub(crate) struct Control(Arc<Mutex<Line>>);

struct Line {
    process: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Control {
    pub(crate) fn of(emulator: &Emulator) -> Self {
        let mut process = clean(&told("EMULATOR_PYTHON"), &emulator.folder)
            .arg(beside("control.py"))
            .env("AWS_ENDPOINT_URL", &emulator.endpoint)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let asks = process.stdin.take().unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap());
        Self(Arc::new(Mutex::new(Line { process, asks, answers })))
    }

    /// The answer to a call that has to succeed.
    pub(crate) async fn call(&self, service: &str, call: &str, arguments: Value) -> Value {
        let answer = self.ask(json!({ "service": service, "call": call, "arguments": arguments })).await;
        answer.unwrap_or_else(|refused| panic!("{service} {call}: {refused}"))
    }

    /// The answer, or the error's code and text.
    pub(crate) async fn ask(&self, request: Value) -> Result<Value, String> {
        let line = Arc::clone(&self.0);
        let asking = tokio::task::spawn_blocking(move || {
            let mut line = line.lock().unwrap();
            writeln!(line.asks, "{request}").unwrap();
            let mut answer = String::new();
            line.answers.read_line(&mut answer).unwrap();
            serde_json::from_str::<Value>(&answer).unwrap_or_else(|_| panic!("{request}: no answer"))
        });
        let answer = asking.await.unwrap();
        match answer["error"].as_str() {
            Some(error) => Err(format!("{error}: {}", answer["says"])),
            None => Ok(answer["answer"].clone()),
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A command that inherits nothing of this process's environment.
pub(crate) fn clean(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs([
        ("PATH", "/usr/bin:/bin"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_DEFAULT_REGION", REGION),
    ]);
    command.env("HOME", folder).env("TMPDIR", folder.join("tmp"));
    command
}

/// A file of infra/emulator.
fn beside(name: &str) -> PathBuf {
    static HERE: LazyLock<PathBuf> = LazyLock::new(|| crate::workspace().join("infra/emulator"));
    HERE.join(name)
}

/// Nobody listens there now.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
