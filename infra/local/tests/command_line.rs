//! The program as a newcomer meets it: what it prints, what it exits with, and that it may be killed at any moment.

use std::{
    io::Read,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use serde_json::Value;

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_intune-smime"));
    command.args(arguments).env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

fn output(arguments: &[&str]) -> Output {
    program(arguments).output().expect("the program runs")
}

fn last_line(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().last().unwrap_or_default();
    serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {text}{}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn once_does_the_whole_job_and_says_so_in_one_line_of_json() {
    let output = output(&["--once", "--json", "--people", "3"]);
    assert!(output.status.success());
    let report = last_line(&output);
    for count in ["people", "ordered", "purchases", "issued", "imported", "delivered"] {
        assert_eq!(report[count], 3, "{count}: {report}");
    }
    for count in ["failed", "unsure"] {
        assert_eq!(report[count], 0, "{count}: {report}");
    }
}

#[test]
fn what_cannot_be_looked_up_ends_unsure_without_a_second_purchase_and_with_status_3() {
    let faults = ["--fault", "sslcom.create=lose-answer", "--fault", "sslcom.list=fail:always"];
    let output = output(&[&["--once", "--json", "--people", "2"], faults.as_slice()].concat());
    assert_eq!(output.status.code(), Some(3));
    let report = last_line(&output);
    assert_eq!(report["end"], "needs_a_person", "{report}");
    assert_eq!((&report["purchases"], &report["unsure"]), (&2.into(), &2.into()), "{report}");
}

/// Killed after it printed so many bytes: moments of the work, not of the clock.
#[test]
fn it_may_be_killed_at_any_moment_and_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    for bytes in [1, 40, 120, 200, 300] {
        killed_after(&data, bytes);
    }
    let output = output(&["--once", "--json", "--people", "8", "--data", &data.to_string_lossy()]);
    let report = last_line(&output);
    for count in ["people", "purchases", "imported", "delivered"] {
        assert_eq!(report[count], 8, "{count}: {report}");
    }
    assert!(output.status.success());
}

fn killed_after(data: &Path, bytes: usize) {
    let data = data.to_string_lossy();
    let arguments = ["--once", "--json", "--people", "8", "--data", &data];
    let mut child: Child =
        program(&arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the program runs");
    let mut printed = child.stdout.take().expect("its output");
    // It may have ended before; then there is nothing to kill.
    let _ = printed.read_exact(&mut vec![0; bytes]);
    child.kill().expect("SIGKILL");
    child.wait().expect("its end");
}

#[test]
fn a_fault_that_does_not_exist_is_named_with_what_there_is() {
    for (fault, sentence) in [
        ("sslcom.create", "CALL=FAULT"),
        ("sslcom.buy=drop", "is not a call"),
        ("sslcom.create=burn", "is not a fault"),
    ] {
        let output = output(&["--once", "--fault", fault]);
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(sentence), "{fault}: {said}");
    }
}

#[test]
fn config_check_names_everything_that_is_wrong_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("bad.toml");
    std::fs::write(
        &file,
        "[server]\nlisten = 8080\n[sslcom]\nbase_url = \"http://sws.example\"\n[timing]\nquiet_time = \"1s\"\n",
    )
    .expect("written");
    let output = output(&["config", "check", &file.to_string_lossy()]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    for field in ["server.listen", "sslcom.base_url", "timing.quiet_time"] {
        assert!(said.contains(field), "{field}: {said}");
    }
}

/// Each says what is wrong and what there is instead, on the terminal's error output, and nothing is begun.
#[test]
fn what_cannot_be_done_is_said_and_nothing_is_begun() {
    let folder = tempfile::tempdir().expect("a folder");
    let written = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("written");
        path.to_string_lossy().into_owned()
    };
    let (here, empty) = (folder.path().to_string_lossy().into_owned(), written("empty.toml", b""));
    let (missing, binary) = (format!("{here}/missing.toml"), written("binary.toml", &[0xff, 0xfe, 0x00]));
    let data = format!("{here}/data");
    for (arguments, status, sentence) in [
        (vec!["--people", "0"], 2, "0 is not in 1..=100000"),
        (vec!["--people", "100001"], 2, "100001 is not in 1..=100000"),
        (vec!["--people", "-1"], 2, "unexpected argument '-1'"),
        (vec!["--people", "many"], 2, "invalid digit found in string"),
        (vec!["--people"], 2, "a value is required for '--people <PEOPLE>'"),
        (vec!["--people", "1", "--people", "2"], 2, "cannot be used multiple times"),
        (vec!["--seed", "1.5"], 2, "invalid digit found in string"),
        (vec!["--poeple", "3"], 2, "a similar argument exists: '--people'"),
        (vec!["start"], 2, "unrecognized subcommand 'start'"),
        (vec!["serve"], 2, "--config <CONFIG>"),
        (vec!["after-restore"], 2, "--config <CONFIG>"),
        (vec!["config"], 2, "Usage: intune-smime config <COMMAND>"),
        (vec!["config", "check"], 2, "<FILE>"),
        (vec!["config", "chek", "x"], 2, "a similar subcommand exists: 'check'"),
        (vec!["config", "check", &missing], 1, "missing.toml cannot be read: No such file"),
        (vec!["config", "check", &here], 1, "cannot be read: Is a directory"),
        (vec!["config", "check", &binary], 1, "binary.toml cannot be read: stream did not contain valid UTF-8"),
        (vec!["config", "check", &empty], 1, "sslcom.base_url\n    it is missing\n    fix: use https://sws.sslpki.com"),
        (vec!["serve", "--config", &missing], 1, "missing.toml cannot be read: No such file"),
        (vec!["serve", "--config", &empty], 1, "1 problem found; nothing was started"),
        (vec!["after-restore", "--config", &empty], 1, "1 problem found; nothing was started"),
        (vec!["--once", "--data", &data, "--fault", "x"], 1, "CALL=FAULT"),
    ] {
        let output = output(&arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(sentence), "{arguments:?}: {said}");
        assert_eq!((output.status.code(), output.stdout.len()), (Some(status), 0), "{arguments:?}: {said}");
    }
    let left: Vec<_> =
        std::fs::read_dir(folder.path()).expect("a folder").map(|entry| entry.expect("a file").file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}
