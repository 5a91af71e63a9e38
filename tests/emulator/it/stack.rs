//! The stack: template.yaml as `sam build` would leave it, with the functions compiled for this machine, deployed by the
//! real `sam deploy`.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::{
    emulator::{Control, Emulator, REGION, clean},
    told,
};

pub(crate) const FUNCTIONS: [&str; 9] = [
    "api",
    "batch-enrollment",
    "oauth-callback",
    "order-check",
    "order-placement",
    "order-webhook",
    "pfx-import",
    "reconcile",
    "user-import",
];

const BUCKET: &str = "deployments";

/// A deployed stack.
pub(crate) struct Stack {
    pub(crate) name: String,
    parameters: BTreeMap<String, String>,
    pub(crate) outputs: BTreeMap<String, String>,
    /// Logical names to physical ones.
    pub(crate) resources: BTreeMap<String, String>,
    control: Control,
    endpoint: String,
    folder: PathBuf,
}

impl Stack {
    /// `instead`: another bootstrap for some of the functions.
    pub(crate) async fn deploy(
        emulator: &Emulator,
        control: &Control,
        name: &str,
        parameters: BTreeMap<String, String>,
        instead: &[(&str, &Path)],
    ) -> Self {
        let template = built(&fs::read_to_string(crate::workspace().join("template.yaml")).unwrap(), instead);
        fs::write(emulator.folder().join("template.yaml"), template).unwrap();
        // An account that was deployed to before has it; `sam deploy --resolve-s3` would make one.
        let _ =
            control.ask(json!({ "service": "s3", "call": "create_bucket", "arguments": { "Bucket": BUCKET } })).await;
        let mut stack = Self {
            name: name.to_owned(),
            parameters,
            outputs: BTreeMap::new(),
            resources: BTreeMap::new(),
            control: control.clone(),
            endpoint: emulator.endpoint().to_owned(),
            folder: emulator.folder().to_owned(),
        };
        stack.update(BTreeMap::new()).await;
        stack
    }

    /// Deploys again, with these parameters changed.
    pub(crate) async fn update(&mut self, changed: BTreeMap<String, String>) {
        self.parameters.extend(changed);
        let parameters = self.parameters.iter().map(|(name, value)| format!("{name}={}", quoted(value)));
        let mut arguments =
            ["deploy", "--template-file", "template.yaml", "--s3-bucket", BUCKET].map(str::to_owned).to_vec();
        arguments.extend(["--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset"].map(str::to_owned));
        arguments.push("--parameter-overrides".to_owned());
        arguments.extend(parameters);
        self.sam(arguments).await;
        self.read().await;
    }

    pub(crate) async fn delete(&self) {
        self.sam(["delete", "--no-prompts", "--s3-bucket", BUCKET].map(str::to_owned).to_vec()).await;
    }

    async fn sam(&self, arguments: Vec<String>) {
        let mut sam = clean(&told("EMULATOR_SAM"), &self.folder);
        sam.current_dir(&self.folder)
            .args(arguments)
            .args(["--stack-name", &self.name, "--region", REGION])
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("SAM_CLI_TELEMETRY", "0");
        let done = tokio::task::spawn_blocking(move || sam.output().unwrap()).await.unwrap();
        let says = [done.stdout, done.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
        assert!(
            done.status.success(),
            "sam: {says}\nthe emulator's log: {}",
            self.folder.join("emulator.log").display()
        );
    }

    async fn read(&mut self) {
        let described = self.control.call("cloudformation", "describe_stacks", json!({ "StackName": self.name })).await;
        let outputs = described["Stacks"][0]["Outputs"].as_array().unwrap().iter();
        self.outputs = outputs.map(|output| pair(output, "OutputKey", "OutputValue")).collect();
        let mut arguments = json!({ "StackName": self.name });
        loop {
            let page = self.control.call("cloudformation", "list_stack_resources", arguments.clone()).await;
            let rows = page["StackResourceSummaries"].as_array().unwrap().iter();
            self.resources.extend(rows.map(|row| pair(row, "LogicalResourceId", "PhysicalResourceId")));
            match page["NextToken"].as_str() {
                Some(next) => arguments["NextToken"] = json!(next),
                None => break,
            }
        }
    }

    /// The physical name of a resource of the template.
    pub(crate) fn resource(&self, logical: &str) -> &str {
        self.resources.get(logical).unwrap_or_else(|| panic!("the template has no {logical}"))
    }

    /// The physical name of a function, e.g. of `order-check`.
    pub(crate) fn function(&self, name: &str) -> &str {
        self.resource(&format!("{}Function", camel(name)))
    }

    /// A queue's address, e.g. of `order-check`.
    pub(crate) fn queue(&self, name: &str) -> &str {
        &self.outputs[&format!("QueueUrl{}", camel(name))]
    }

    pub(crate) fn dead_letters(&self, name: &str) -> &str {
        &self.outputs[&format!("DeadLetterUrl{}", camel(name))]
    }
}

fn pair(row: &Value, key: &str, value: &str) -> (String, String) {
    (row[key].as_str().unwrap().to_owned(), row[value].as_str().unwrap_or_default().to_owned())
}

/// `order-check` in the template's way to write.
pub(crate) fn camel(name: &str) -> String {
    let word = |word: &str| word[..1].to_uppercase() + &word[1..];
    name.split('-').map(word).collect()
}

/// As SAM's command line reads a value.
fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The template with the place of each function's code, which is all that `sam build` changes.
fn built(template: &str, instead: &[(&str, &Path)]) -> String {
    let mut built = String::with_capacity(template.len() + 1_000);
    let mut placed = Vec::new();
    let mut code: Option<(String, PathBuf)> = None;
    for line in template.lines() {
        if line.trim().starts_with("CodeUri: functions/") {
            continue;
        }
        built.push_str(line);
        built.push('\n');
        if let Some((_, rest)) = line.split_once("Binary: ") {
            let name = rest.trim_end_matches('}').to_owned();
            let other = instead.iter().find(|(function, _)| *function == name).map(|(_, path)| path.to_path_buf());
            let path = other.unwrap_or_else(|| told("EMULATOR_FUNCTIONS").join(format!("{name}.zip")));
            code = Some((name, path));
        } else if line.trim() == "Properties:"
            && let Some((name, path)) = code.take()
        {
            built.push_str(&format!("      CodeUri: {}\n", path.display()));
            placed.push(name);
        }
    }
    placed.sort();
    assert_eq!(placed, FUNCTIONS, "the functions of the template");
    built
}
