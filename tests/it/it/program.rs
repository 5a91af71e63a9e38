//! The program as it is deployed, in a process of its own.

#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread::JoinHandle,
};

use crate::world::{
    PATIENCE,
    operator::TOKEN,
    vendors::{PRICE_CENTS, PRODUCT, Vendors},
};

/// As registered in Entra; a proxy would lead from there to the program.
pub(crate) const REDIRECT_URI: &str = "http://localhost:8080/oauth/callback";

/// How it serves.
pub(crate) struct Serving<'a> {
    /// Where it listens; with port 0 anywhere.
    pub(crate) listen: &'a str,
    /// Where SSL.com calls back.
    pub(crate) public_url: Option<String>,
    /// The levels of its log.
    pub(crate) log: &'a str,
}

/// Killed when it is dropped.
pub(crate) struct Program {
    child: Child,
    base_url: String,
    /// What it logs, until it ends.
    log: Option<JoinHandle<Vec<u8>>>,
}

impl Program {
    /// Serves with these vendors, from this folder.
    pub(crate) fn serve(data: &Path, vendors: &Vendors, serving: Serving<'_>) -> Self {
        fs::create_dir_all(data).unwrap();
        let file = data.with_extension("toml");
        fs::write(&file, deployment_file(data, vendors, &serving)).unwrap();
        let mut child = Command::new(built())
            .args(["serve", "--config", file.to_str().unwrap()])
            .env("RUST_LOG", serving.log)
            .env("INTUNE_SMIME_API_TOKEN", TOKEN)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (listening, listens) = mpsc::channel();
        let log = std::thread::spawn(move || {
            let mut log = Vec::new();
            for line in stderr.split(b'\n') {
                let line = line.unwrap();
                if let Some(url) = line.strip_prefix(b"serving on ") {
                    let _ = listening.send(String::from_utf8(url.to_vec()).unwrap());
                }
                log.extend_from_slice(&line);
                log.push(b'\n');
            }
            log
        });
        let base_url = listens.recv_timeout(PATIENCE).expect("it says where it serves");
        Self { child, base_url, log: Some(log) }
    }

    /// Compares a backup that was put back into this folder. Answers whether all was compared, and what it says.
    pub(crate) async fn after_restore(data: &Path, vendors: &Vendors) -> (bool, String) {
        let file = data.with_extension("toml");
        let serving = Serving { listen: "127.0.0.1:0", public_url: None, log: "" };
        fs::write(&file, deployment_file(data, vendors, &serving)).unwrap();
        let runs = move || {
            let mut command = Command::new(built());
            command.args(["after-restore", "--config", file.to_str().unwrap()]).env("INTUNE_SMIME_API_TOKEN", TOKEN);
            command.output().unwrap()
        };
        // The vendors go on meanwhile.
        let output = tokio::task::spawn_blocking(runs).await.unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    }

    pub(crate) fn base_url(&self) -> &str {
        &self.base_url
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Kills it and answers what it logged.
    pub(crate) fn killed(mut self) -> Vec<u8> {
        self.child.kill().unwrap();
        self.log.take().unwrap().join().unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn deployment_file(data: &Path, vendors: &Vendors, serving: &Serving<'_>) -> String {
    let public_url = serving.public_url.as_ref().map(|url| format!("public_url = \"{url}\"")).unwrap_or_default();
    let (entra, graph) = (vendors.microsoft.entra_base_url(), vendors.microsoft.graph_base_url());
    format!(
        r#"
        [server]
        listen = "{listen}"
        {public_url}
        redirect_url = "{REDIRECT_URI}"
        data = "{data}"

        [sslcom]
        base_url = "{sslcom}"
        create_timeout = "2s"
        answer_timeout = "2s"

        [microsoft]
        login_url = "{entra}"
        graph_url = "{graph}"

        [[product]]
        code = {PRODUCT}
        label = "Personal ID + Organization"
        certificate_type = "sponsor"
        offers = [{{ days = 365, price_cents = {PRICE_CENTS} }}]

        [timing]
        purchase_window = "2s"
        quiet_time = "8s"
        look_up_after = ["100ms", "200ms"]
        poll_after = ["100ms"]
        read_back_after = ["0s", "100ms"]
        retry_after = "100ms"
        sweep_every = "50ms"
        "#,
        listen = serving.listen,
        data = data.display(),
        sslcom = vendors.sslcom().base_url(),
    )
}

/// The program that belongs to this test binary, built if nobody has.
fn built() -> PathBuf {
    // …/target/debug/deps/it-0123456789abcdef
    let own = std::env::current_exe().unwrap();
    let profile = own.parent().and_then(Path::parent).unwrap();
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--package", "local", "--bin", "intune-smime", "--target-dir"]);
    build.arg(profile.parent().unwrap());
    if profile.ends_with("release") {
        build.arg("--release");
    }
    let output = build.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    profile.join("intune-smime").with_extension(std::env::consts::EXE_EXTENSION)
}
